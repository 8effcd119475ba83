"""What goes wrong at an endpoint, told in our words.

A `Failure` is one attempt's. What is left after the last attempt becomes an error, and
the error holds no trace of the request: that would hold the key.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from groundtune.core.errors import GenerationError

if TYPE_CHECKING:
    from collections.abc import Mapping

_DETAIL_CHARACTERS = 200
_ROOT = "check that the URL is the root of an OpenAI-compatible API"
_PASSING = {408, 409, 425, 429}
_OF_THE_CASE = {400, 413, 422}
_KEY_WORDS = ("api key", "api_key", "apikey")


class EndpointError(GenerationError):
    """An endpoint failed every attempt: it may be its fault, or the question's."""


class EndpointRefusalError(EndpointError):
    """An endpoint failed in a way that no other question would change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why an attempt gave nothing."""

    problem: str
    fix: str
    kind: type[GenerationError] = EndpointError
    """What it becomes; a plain GenerationError lies in what was asked."""
    is_passing: bool = False
    """Whether another attempt may do better."""
    wait_seconds: float | None = None
    """For which the endpoint asked before the next attempt."""
    status: int = 0
    param: str = ""
    """The parameter that the endpoint blames, where it says."""
    detail: str = ""
    """The endpoint's own words."""


class FailedAttempt(Exception):  # noqa: N818 (never leaves the client)
    """Carries a failure out of the reading of an answer."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.problem)
        self.failure = failure


def malformed(detail: str) -> Failure:
    """An answer that is not in the protocol's form."""
    return Failure(problem=f"the endpoint sent {detail}", fix=_ROOT, is_passing=True)


def broken_off() -> Failure:
    """An answer that ended before its end."""
    return Failure(
        problem="the endpoint's answer broke off",
        fix="try again, or see its own log",
        is_passing=True,
    )


def timed_out(seconds: float, what: str) -> Failure:
    """Nothing came in time."""
    return Failure(
        problem=f"no {what} within {seconds:g} seconds",
        fix="raise the time limit, or check the endpoint's load",
        is_passing=True,
    )


def unreachable(detail: str) -> Failure:
    """There is nobody to talk to."""
    return Failure(
        problem=f"the endpoint cannot be reached: {plain(detail)}",
        fix="check its URL, and that it runs",
        kind=EndpointRefusalError,
        is_passing=True,
    )


def other_model(asked: str, answered: str) -> Failure:
    """The endpoint answered with something else than was asked for."""
    return Failure(
        problem=f"{asked!r} was asked for, and {plain(answered)!r} answered",
        fix="name the model as the endpoint does, or allow the other name: put "
        "?answers_as=NAME before the #",
        kind=EndpointRefusalError,
    )


def refusal(
    status: int, headers: Mapping[str, str], body: str, *, now: float, has_key: bool
) -> Failure:
    """What an answer with a status other than success means."""
    error = _error_of(body)
    detail = plain(str(error.get("message") or error.get("detail") or body))
    code = str(error.get("code") or error.get("type") or "")
    said = f"the endpoint answered {status}" + (f": {detail}" if detail else "")
    kind: type[GenerationError] = EndpointRefusalError
    is_passing = status in _PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    fix = "see the endpoint's own log"
    about_key = any(word in detail.casefold() for word in _KEY_WORDS)
    if status in {401, 403} or (status == HTTPStatus.BAD_REQUEST and about_key):
        fix = "check the key" if has_key else "set a key: see docs/remote.md"
    elif status in _OF_THE_CASE:
        kind = GenerationError
        fix = "use fewer or shorter passages, or state the model's ?context="
    elif status == HTTPStatus.NOT_FOUND:
        fix = "check the URL and the model's name at the endpoint"
    elif status == HTTPStatus.TOO_MANY_REQUESTS:
        fix = "wait, or ask for a higher limit; ?requests_a_minute= keeps below it"
        is_passing = code != "insufficient_quota"
    elif 300 <= status < 400:
        fix = "name the address that it stands at itself: redirects are not followed"
    elif is_passing:
        kind = EndpointError
    return Failure(
        problem=said,
        fix=fix,
        kind=kind,
        is_passing=is_passing,
        wait_seconds=_retry_after(headers, now=now),
        status=status,
        param=str(error.get("param") or ""),
        detail=detail,
    )


def told_in_answer(error: object) -> Failure:
    """An error that comes where an answer should be, with a status of success."""
    found = error if isinstance(error, dict) else {"message": error}
    detail = plain(str(found.get("message") or json.dumps(error)))
    return Failure(
        problem=f"the endpoint sent an error: {detail}",
        fix="see the endpoint's own log",
        is_passing=True,
    )


def plain(text: str) -> str:
    """A foreign text on one line, short, and with nothing that a terminal obeys."""
    kept = "".join(mark if mark.isprintable() else " " for mark in text)
    return " ".join(kept.split())[:_DETAIL_CHARACTERS]


def _error_of(body: str) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    if isinstance(value, list) and value:
        value = cast("list[Any]", value)[0]  # Gemini wraps its error into a list
    if not isinstance(value, dict):
        return {}
    error = value.get("error", value)
    return error if isinstance(error, dict) else {"message": str(error)}


def _retry_after(headers: Mapping[str, str], *, now: float) -> float | None:
    """Seconds to wait, from a number or a date; None where neither stands there.

    Args:
        headers: Of the answer.
        now: Seconds since the epoch.
    """
    stated = headers.get("retry-after-ms")
    try:
        if stated is not None:
            return max(float(stated) / 1000, 0.0)
        stated = headers.get("retry-after", "")
        return max(float(stated), 0.0)
    except ValueError:
        pass
    try:
        return max(parsedate_to_datetime(stated or "").timestamp() - now, 0.0)
    except (TypeError, ValueError, OverflowError):
        return None
