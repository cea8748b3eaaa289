"""The description of what can be asked for over HTTP, by OpenAPI 3.1, for programs that read such."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import chatctl
from chatctl.messages import DEFAULT_PAGE, MAX_ID, MAX_NONCE, MAX_PAGE
from chatctl.names import MAX_ROOM
from chatctl.server.web.request import MAX_BODY, Request, Response, json_response
from chatctl.text import MAX_TEXT

if TYPE_CHECKING:
    from chatctl.server.session import Session
    from chatctl.server.shared import Shared

Json = dict[str, Any]

ID: Json = {"type": "integer", "minimum": 0, "maximum": MAX_ID}
TEXT: Json = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_TEXT // 4,
    "pattern": "^[^\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f]+$",
    "description": f"1 to {MAX_TEXT} bytes of UTF-8; of the controls, line feeds and tabs alone",
}
KIND: Json = {"type": "string", "enum": ["text", "action"], "default": "text"}


def describe(_shared: Shared, _session: Session, _request: Request) -> Response:
    """Returns the description."""
    return json_response(description())


def description() -> Json:
    """Returns the description, for any server of this version."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "chatctl",
            "version": chatctl.__version__,
            "description": "Post to rooms, follow them, and look up what was said. Where the server asks for "
            "a key, `Authorization: Basic` says NAME:KEY; a name that has an account needs its password "
            "instead. Where it asks for none, reading needs no name, and posting NAME: alone.",
        },
        "security": [{"basic": []}, {}],
        "paths": {
            "/healthz": {"get": _health()},
            "/api/openapi.json": {"get": _own()},
            "/api/rooms": {"get": _rooms()},
            "/api/rooms/{room}": {"parameters": [_ref("parameters", "room")], "post": _post()},
            "/api/rooms/{room}/messages": {"parameters": [_ref("parameters", "room")], "get": _messages()},
            "/api/rooms/{room}/search": {"parameters": [_ref("parameters", "room")], "get": _search()},
            "/api/rooms/{room}/stream": {"parameters": [_ref("parameters", "room")], "get": _stream()},
        },
        "components": {
            "securitySchemes": {"basic": {"type": "http", "scheme": "basic"}},
            "parameters": {"room": _room()},
            "headers": {
                "Retry-After": {"description": "seconds", "schema": {"type": "integer"}},
                "WWW-Authenticate": {"schema": {"type": "string"}},
            },
            "responses": _refusals(),
            "schemas": _schemas(),
        },
    }


# What can be asked for


def _health() -> Json:
    status = {"type": "object", "required": ["status", "version"], "properties": {}}
    status["properties"] = {"status": {"const": "ok"}, "version": {"type": "string"}}
    answers = _answers("the server does its work", status, "400", "403")
    answers["503"] = _ref("responses", "503")
    return {"operationId": "health", "summary": "Whether all is well", "security": [{}], "responses": answers}


def _own() -> Json:
    answers = _answers("this description", {"type": "object"}, "400", "403")
    return {"operationId": "describe", "summary": "This", "security": [{}], "responses": answers}


def _rooms() -> Json:
    rooms = _object(rooms=_list("RoomLine"))
    return {
        "operationId": "listRooms",
        "summary": "The rooms, the fullest first",
        "responses": _answers("the rooms that you may know of", rooms, *_READING),
    }


def _post() -> Json:
    said = {"type": "object", "required": ["text"], "properties": {"text": TEXT, "kind": KIND}}
    key = {"type": "string", "minLength": 1, "maxLength": MAX_NONCE, "pattern": "^[!-~]([ -~]*[!-~])?$"}
    answers = _answers("it is kept, and was sent to the room", _object(room=_STRING, id=ID, at=ID), *_POSTING)
    answers["201"] = answers.pop("200")
    return {
        "operationId": "post",
        "summary": "Posts a message, as the one whom Authorization names",
        "description": f"The body has at most {MAX_BODY} bytes. What is sent as a form, as `curl -d` does, "
        "is taken as the text itself.",
        "security": [{"basic": []}],
        "parameters": [
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": "posted again by the same name within ten minutes, it is answered as the "
                "first time, and not posted twice",
                "schema": key,
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                "text/plain": {"schema": TEXT},
                "application/json": {"schema": said},
            },
        },
        "responses": answers,
    }


def _messages() -> Json:
    gap = _object(after=ID, before=ID)
    page = _object(room=_STRING, messages=_list("Message"), more={"type": "boolean"})
    page["properties"]["gap"] = gap | {"description": "the ids strictly between are no longer kept"}
    return {
        "operationId": "readMessages",
        "summary": "A page of what was said, oldest first",
        "description": "With `after` or `since` the first messages behind that, else the last ones. `more`: "
        "there are others on that side.",
        "parameters": [
            _asked("before", ID, "ids below this one"),
            _asked("after", ID, "ids above this one"),
            _since(),
            _limit(),
        ],
        "responses": _answers("the page", page, *_READING, "404"),
    }


def _search() -> Json:
    found = _object(messages=_list("Message"), more={"type": "boolean"})
    words = _asked("text", TEXT, "words, each of which has to be there") | {"required": True}
    return {
        "operationId": "search",
        "summary": "The messages that hold every word, newest first",
        "parameters": [words, _limit()],
        "responses": _answers("what was found", found, *_READING, "404"),
    }


def _stream() -> Json:
    last = _asked("Last-Event-ID", ID, "as `since`, and before it") | {"in": "header"}
    answers = _answers("what is said, for as long as you stay", _schema("Line"), *_READING, "404")
    lines = {"description": "each line is one of these, or empty", "schema": _schema("Line")}
    answers["200"]["content"] = {
        "application/x-ndjson": lines,
        "text/event-stream": {"schema": {"type": "string"}},
    }
    return {
        "operationId": "follow",
        "summary": "What is said, as lines of JSON; as server-sent events where Accept asks for those",
        "parameters": [_since(), last],
        "responses": answers,
    }


# Parts of it


_STRING: Json = {"type": "string"}
_READING = ("400", "401", "403", "429", "503")
_POSTING = ("400", "401", "403", "404", "409", "411", "413", "415", "429", "503")
_MEANINGS = {
    "400": "it was not understood, or cannot be",
    "401": "a key or password is lacking, or wrong",
    "403": "not allowed: with your role, to you in that room, or from a page of another site",
    "404": "there is no such room, as far as you may know",
    "409": "somebody else has the name, or one that looks like it",
    "411": "how long the body is has to be said",
    "413": "the body is too long",
    "415": "the body is of another type",
    "429": "too often, or too many wrong keys came from your address",
    "503": "what is said cannot be kept right now, or there is no place for another room",
}


def _refusals() -> Json:
    refusals = {code: _answer(text, _schema("Problem")) for code, text in _MEANINGS.items()}
    refusals["401"]["headers"] = {"WWW-Authenticate": _ref("headers", "WWW-Authenticate")}
    for code in ("429", "503"):
        refusals[code]["headers"] = {"Retry-After": _ref("headers", "Retry-After")}
    return refusals


def _schemas() -> Json:
    message = _object(t={"const": "msg"}, id=ID, at=_AT, room=_STRING, name=_STRING, text=_STRING)
    message["properties"] |= {"kind": KIND, "nonce": {"type": "string", "description": "of your own ones"}}
    message["description"] = "an empty text is that of a message that was redacted"
    redacted = _object(t={"const": "redacted"}, room=_STRING, id=ID, name=_STRING)
    redacted["properties"]["reason"] = _STRING
    gap = _object(t={"const": "gap"}, room=_STRING, after=ID, before=ID)
    gap["description"] = "the ids strictly between are no longer kept"
    end = _object(t={"enum": ["error", "bye"]}, code=_STRING, text=_STRING)
    end["description"] = "the last line: why it ends"
    return {
        "Problem": _object(error=_object(code=_STRING, text=_STRING)),
        "RoomLine": _object(room=_STRING, count=ID, topic=_STRING, last=ID),
        "Message": message,
        "Redacted": redacted,
        "Gap": gap,
        "End": end,
        "Line": {"anyOf": [_schema(name) for name in ("Message", "Redacted", "Gap", "End")]},
    }


_AT: Json = ID | {"description": "milliseconds since the Unix epoch"}


def _room() -> Json:
    return {
        "name": "room",
        "in": "path",
        "required": True,
        "description": f"1 to {MAX_ROOM} characters, capitals as small ones; letters of any script are taken",
        "schema": {"type": "string", "pattern": f"^[A-Za-z0-9_][A-Za-z0-9_.-]{{0,{MAX_ROOM - 1}}}$"},
    }


def _since() -> Json:
    words = "^([0-9]{1,15}|[1-9][0-9]{0,5}[smhdw]|today|yesterday|([01][0-9]|2[0-3]):[0-5][0-9])$"
    meaning = (
        "from when on: 10m, 2h, 7d ago; 22:30 or yesterday, by the server's clock; a date and time; an id"
    )
    iso = {"type": "string", "format": "date-time"}
    return _asked("since", {"anyOf": [{"type": "string", "pattern": words}, iso]}, meaning)


def _limit() -> Json:
    limit = {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": DEFAULT_PAGE}
    return _asked("limit", limit, "messages, at most")


def _asked(name: str, schema: Json, meaning: str) -> Json:
    return {"name": name, "in": "query", "description": meaning, "schema": schema}


def _answers(meaning: str, schema: Json, *refusals: str) -> Json:
    return {"200": _answer(meaning, schema)} | {code: _ref("responses", code) for code in refusals}


def _answer(meaning: str, schema: Json) -> Json:
    return {"description": meaning, "content": {"application/json": {"schema": schema}}}


def _object(**properties: Json) -> Json:
    return {"type": "object", "required": list(properties), "properties": properties}


def _list(name: str) -> Json:
    return {"type": "array", "items": _schema(name)}


def _schema(name: str) -> Json:
    return _ref("schemas", name)


def _ref(part: str, name: str) -> Json:
    return {"$ref": f"#/components/{part}/{name}"}
