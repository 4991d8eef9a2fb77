"""Who is calling.

credentials   where a request carries its token
identify      how a request becomes a grant; a host application passes its own
identities    the tokens, sessions and shares that the server knows, in memory, in step with the database
accounts      logging in, and what callers may do with tokens: their own, or an admin's everyone's
links         one-use links
attempts      how often a login may fail
grants        what a valid token gives, and the streams to cut when it ends
jwt           tokens that somebody else signed
tokens        what a token, a user name and a lifetime look like
store         users, tokens, sessions and shares in ``identity.db``; the command line writes it while the server runs
shares        what of it is shares
database      that file: connections, versions, backups
"""
