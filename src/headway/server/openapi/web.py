"""The paths that pages of this server use: logging in, tokens, users, shares."""

from __future__ import annotations

from collections.abc import Mapping

from headway.core.policy import TOKEN_ROLES, Action, Role
from headway.server.identity.attempts import BURST, PAUSE
from headway.server.identity.credentials import COOKIE
from headway.server.identity.links import LIFETIME
from headway.server.identity.sessions import SESSION_LIFETIME
from headway.server.identity.shares import MAX_SHARE_LIFETIME, SHARE_LIFETIME, SHARES_PER_USER
from headway.server.identity.tokens import MAX_LABEL, MAX_LIFETIME, USER_NAME
from headway.server.openapi import samples
from headway.server.openapi.bodies import body
from headway.server.openapi.parts import (
    JSON,
    Node,
    header,
    matching,
    media,
    operation,
    parameter,
    record,
    response,
    schema,
    without_body,
)
from headway.server.openapi.refusals import refusals
from headway.server.web.session import MAX_SECRET
from headway.wire import rules

_TAG = "Pages"
_TIME = "Seconds since the epoch."
_ID = parameter("path", "id", "The public id of a token.", {"type": "string", "minLength": 1}, required=True)
_SHARE_ID = parameter("path", "id", "The public id of a share.", {"type": "string", "minLength": 1}, required=True)
_COOKIE = header(
    f"The session, as cookie `{COOKIE}`: `HttpOnly`, `SameSite=Strict`, `Secure` over TLS.", {"type": "string"}
)
_FORGET = header("Has the browser forget its cookie, if it sent one.", {"type": "string"}, always=False)
_ROLE: Node = {"enum": [role.value for role in TOKEN_ROLES]}
_NO_LOGIN = "Where a host application says who is calling, there is no such thing: 404."


def components() -> Mapping[str, Node]:
    """The schemas of what is sent and answered."""
    secret = {"type": "string", "minLength": 1, "maxLength": MAX_SECRET}
    name = {"type": "string", "description": "What it is for."}
    token: dict[str, Node] = {
        "id": {"type": "string", "description": "Its public id; no secret."},
        "name": name,
        "role": _ROLE,
        "userID": {"type": "integer"},
        "userName": {"type": "string"},
        "createdAt": {"type": "number", "description": _TIME},
        "expiresAt": {"type": "number", "description": f"{_TIME} Absent: never."},
        "state": {"enum": ["active", "expired"]},
        "current": {"type": "boolean", "description": "The one that this request came with, or its session from."},
    }
    lasting = tuple(each for each in token if each != "expiresAt")
    made = {"token": {"type": "string", "description": "The token itself: it is not shown again."}, **token}
    user: dict[str, Node] = {
        "userID": {"type": "integer"},
        "name": {"type": "string"},
        "createdAt": {"type": "number", "description": _TIME},
        "tokens": {"type": "integer", "minimum": 0, "description": "How many open something."},
        "sessions": {"type": "integer", "minimum": 0, "description": "How many browsers are logged in."},
    }
    code = {"code": {"type": "string"}, "expiresAt": {"type": "number", "description": _TIME}}
    return {
        "Login": {
            "oneOf": [record({each: secret}, (each,), closed=True) for each in ("token", "link")],
            "description": "A token, or the code of a one-use link.",
        },
        "Session": _session(),
        "SignedOut": record({"ended": {"type": "integer", "minimum": 0}}, ("ended",)),
        "NoMembers": record({}, closed=True),
        "Link": record(code, tuple(code)),
        "Token": record(token, lasting),
        "Tokens": record({"tokens": {"type": "array", "items": schema("Token")}}, ("tokens",)),
        "NewToken": record(_asked(), closed=True),
        "MadeToken": record(made, ("token", *lasting)),
        **_shares(),
        "Users": record({"users": {"type": "array", "items": record(user, tuple(user))}}, ("users",)),
    }


def _shares() -> Mapping[str, Node]:
    expires: Node = {"type": "number", "description": f"{_TIME} Never later than the token that it was made with."}
    uuid = {"type": "string", "format": "uuid", "description": "The activity."}
    share: dict[str, Node] = {
        "id": {"type": "string", "description": "Its public id; no secret."},
        "uuid": uuid,
        "userID": {"type": "integer", "description": "Who shared it."},
        "userName": {"type": "string"},
        "createdAt": {"type": "number", "description": _TIME},
        "expiresAt": expires,
    }
    named = {
        "title": {
            "type": "string",
            "description": "The activity's; absent where the caller does not see that any more.",
        },
        "type": {"type": "string", "description": "Likewise."},
    }
    secret = {"type": "string", "description": "What opens it, as the header `X-Plex-Token`: it is not shown again."}
    made = {"id": share["id"], "secret": secret, "uuid": uuid, "expiresAt": expires}
    lifetime = {
        "type": "number",
        "minimum": 1,
        "maximum": MAX_SHARE_LIFETIME,
        "description": f"Seconds, at most until the caller's own token expires. Default: {SHARE_LIFETIME:g}, or until "
        "then if that is sooner.",
    }
    return {
        "Share": record({**share, **named}, tuple(share)),
        "Shares": record({"shares": {"type": "array", "items": schema("Share")}}, ("shares",)),
        "NewShare": record({"uuid": matching(rules.UUID), "expiresIn": lifetime}, ("uuid",), closed=True),
        "MadeShare": record(made, tuple(made)),
    }


def _session() -> Node:
    members: dict[str, Node] = {
        "login": {"type": "boolean", "description": "False where a host application says who is calling."},
        "userID": {"type": "integer"},
        "name": {"type": "string", "description": "The user's; may be empty."},
        "role": _ROLE,
        "may": {"type": "array", "items": {"enum": [action.value for action in Action]}},
        "expiresAt": {"type": "number", "description": f"{_TIME} Absent: never."},
    }
    return record(members, tuple(each for each in members if each != "expiresAt"))


def _asked() -> Mapping[str, Node]:
    return {
        "name": {"type": "string", "maxLength": MAX_LABEL, "description": "What it is for."},
        "role": {**_ROLE, "default": Role.USER.value, "description": "At most the caller's."},
        "expiresIn": {
            "type": "number",
            "minimum": 1,
            "maximum": MAX_LIFETIME,
            "description": "Seconds. Default, and the most: as long as the caller's own token.",
        },
        "userName": {
            **matching(USER_NAME),
            "description": "For whom. Default: the caller; only an admin may name another, also a new one.",
        },
    }


def paths() -> Mapping[str, Node]:
    """The session of a browser, and what opens the server."""
    session, tokens, users, shares = _get_session(), _list_tokens(), _list_users(), _list_shares()
    return {
        "/web/session": {
            "get": session,
            "head": without_body(session),
            "post": _begin_session(),
            "delete": _end_session(),
        },
        "/web/sessions": {"delete": _end_sessions()},
        "/web/links": {"post": _make_link()},
        "/web/tokens": {"get": tokens, "head": without_body(tokens), "post": _make_token()},
        "/web/tokens/{id}": {"delete": _revoke_token()},
        "/web/shares": {"get": shares, "head": without_body(shares), "post": _make_share()},
        "/web/shares/{id}": {"delete": _revoke_share()},
        "/web/users": {"get": users, "head": without_body(users)},
    }


def _get_session() -> Node:
    return operation(
        "getSession",
        _TAG,
        "Who is there",
        "By a session's cookie, or by a token.",
        {200: response("The caller.", {JSON: media("Session")})},
        refusals(401),
    )


def _begin_session() -> Node:
    return operation(
        "beginSession",
        _TAG,
        "Log in",
        f"The cookie holds a session of its own, good for {SESSION_LIFETIME / 86_400:g} days and never longer than its "
        "token, whose user and role it has; it ends with any change of these. A session that was there before ends. "
        f"After {BURST} failures an address has to wait {PAUSE:g} s for each further one: 429. {_NO_LOGIN}",
        {200: response("Who is there now.", {JSON: media("Session")}, {"Set-Cookie": _COOKIE})},
        refusals(401, 404, 429),
        requestBody=body("Login"),
        security=[],
    )


def _end_session() -> Node:
    return operation(
        "endSession",
        _TAG,
        "Log out this browser",
        f"Ends the session of the cookie, and cuts its streams; nothing happens without one. {_NO_LOGIN}",
        {204: response("It is over.", headers={"Set-Cookie": _FORGET})},
        refusals(401, 404),
    )


def _end_sessions() -> Node:
    return operation(
        "endSessions",
        _TAG,
        "Log out all browsers of this user",
        f"Their tokens are as good as before. {_NO_LOGIN}",
        {200: response("How many there were.", {JSON: media("SignedOut")}, {"Set-Cookie": _FORGET})},
        refusals(401, 404),
    )


def _make_link() -> Node:
    return operation(
        "makeLink",
        _TAG,
        "Let another browser in, once",
        "The code opens a session of the caller's own token. It goes behind the `#` of an address, which no browser "
        f"sends and no server logs: `web/#link=CODE`. It is good once, for {LIFETIME / 60:g} minutes. {_NO_LOGIN}",
        {201: response("The code.", {JSON: media("Link")})},
        refusals(401, 404),
        requestBody=body("NoMembers", link={}),
    )


def _list_tokens() -> Node:
    return operation(
        "listTokens",
        _TAG,
        "List tokens",
        f"The caller's own, for an admin everyone's, without those that are revoked. {_NO_LOGIN}",
        {200: response("What is known of them.", {JSON: media("Tokens")})},
        refusals(401, 404),
    )


def _make_token() -> Node:
    return operation(
        "makeToken",
        _TAG,
        "Make a token",
        f"Needs a role of admin or user, and gives no more rights than the caller has. {_NO_LOGIN}",
        {201: response("The token.", {JSON: media("MadeToken")})},
        refusals(401, 404, 429),
        requestBody=body("NewToken", screen={"name": "Wall screen", "role": "reader", "expiresIn": 2_592_000}),
    )


def _revoke_token() -> Node:
    return operation(
        "revokeToken",
        _TAG,
        "Revoke a token",
        "One's own, or anyone's as an admin. Its streams and sessions are cut within a second. Needs a role of admin "
        "or user.",
        {204: response("It opens nothing any more.")},
        refusals(401, 404),
        parameters=[_ID],
    )


def _list_users() -> Node:
    return operation(
        "listUsers",
        _TAG,
        "List users",
        f"Needs a role of admin. {_NO_LOGIN}",
        {200: response("Everyone.", {JSON: media("Users")})},
        refusals(401, 404),
    )


def _list_shares() -> Node:
    return operation(
        "listShares",
        _TAG,
        "List what is shared",
        f"What the caller has shared and is still open, for an admin what everyone has. {_NO_LOGIN}",
        {200: response("The shares.", {JSON: media("Shares")})},
        refusals(401, 404),
    )


def _make_share() -> Node:
    return operation(
        "makeShare",
        _TAG,
        "Share one activity",
        "Whoever has the secret sees this activity by `GET /activities/{uuid}`, and nothing else: every other uuid is "
        "404, every other request 403. It counts as the header `X-Plex-Token` alone. The dashboard shows the activity "
        "at `web/#shared=SECRET&uuid=UUID`; no browser sends what stands behind the `#`. A share ends with its token. "
        f"At most {SHARES_PER_USER} of a user are open. Needs a role of admin or user. {_NO_LOGIN}",
        {201: response("The share.", {JSON: media("MadeShare")})},
        refusals(401, 404, 429),
        requestBody=body("NewShare", week={"uuid": samples.LOADING.uuid, "expiresIn": 604_800}),
    )


def _revoke_share() -> Node:
    return operation(
        "revokeShare",
        _TAG,
        "End a share",
        "One's own, or anyone's as an admin. It shows nothing any more within a second. Needs a role of admin or user.",
        {204: response("It opens nothing any more.")},
        refusals(401, 404),
        parameters=[_SHARE_ID],
    )
