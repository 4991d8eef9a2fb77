"""Who is calling.

credentials   where a request carries its token
identify      how a request becomes a grant; a host application passes its own
identities    the tokens, sessions and shares that the server knows, in memory, in step with the database
accounts      logging in, and what callers may do with tokens: their own, or an admin's everyone's
attempts      how often a login may fail
grants        what a valid token gives, and the streams to cut when it ends
jwt           tokens that somebody else signed
tokens        what a token, a user name and a lifetime look like
store         users, tokens and what comes of them, as tables; the command line writes them while the server runs
sessions      those of browsers that have logged in
links         one-use links
shares        what guests may look at
places        where the tables are: a file, or a document in the store that nodes share
database      their versions
"""
