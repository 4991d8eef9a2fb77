"""What the pages of this server are made of, and what they talk to.

assets     the files of the dashboard, as they are served
session    logging in and out: a cookie for a token or a one-use link
shares     one activity, for those who have a link
tokens     tokens and users, for those who may
"""
