"""Who is calling.

credentials   where a request carries its token
identify      how a request becomes a grant; a host application passes its own
identities    the tokens that the server knows, in memory, in step with the database
grants        what a valid token gives, and the streams to cut when it ends
jwt           tokens that somebody else signed
tokens        what a token, a user name and a lifetime look like
store         users and tokens in ``identity.db``; the command line writes it while the server runs
"""
