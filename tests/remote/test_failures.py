"""What docs/remote.md promises of each failure, against a server that fails so."""

from __future__ import annotations

import logging
import threading
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from groundtune.core.errors import GenerationError
from groundtune.core.values import Message
from groundtune.generate.remote import ChatEndpoint, open_chat_endpoint
from groundtune.store.remote.client import EndpointClient
from groundtune.store.remote.failures import (
    EndpointError,
    EndpointRefusalError,
    refusal,
)
from groundtune.store.remote.keys import Secret
from groundtune.store.remote.pace import Clock, Pace
from groundtune.store.remote.settings import open_remote_model

if TYPE_CHECKING:
    from collections.abc import Callable

    from groundtune.generate.engines import Generated

KEY = "sk-secret-of-the-tests"
TURNS = [Message("system", "Answer in a word."), Message("user", "Capital of France?")]
QUICK = "token_seconds=0.3&total_seconds=0.6&connect_seconds=0.5"


@dataclass
class Asking:
    """An engine whose waits are written down instead of waited for."""

    endpoint: Any
    query: str = QUICK
    key: str = ""
    name: str = ""
    waits: list[float] = field(default_factory=list[float])

    def __post_init__(self) -> None:
        remote = open_remote_model(self.endpoint.spec(self.query, self.name))
        self.client = EndpointClient(
            remote,
            secret=Secret(self.key) if self.key else None,
            pace=Pace(concurrency=2),
            clock=Clock(sleep=self.waits.append, spread=lambda: 0.5),
        )
        self.engine = ChatEndpoint(self.client, None)

    def ask(self, on_text: Callable[[str], None] | None = None) -> Generated:
        return self.engine.chat(TURNS, max_tokens=9, on_text=on_text)


def test_an_answer_is_streamed(endpoint: Any) -> None:
    asking, pieces = Asking(endpoint), list[str]()

    made = asking.ask(pieces.append)

    assert made.text == "Paris [1]"
    assert pieces == ["Par", "is ", "[1]"]
    assert (made.usage.prompt_tokens, made.usage.output_tokens) == (11, 3)
    assert 0 < made.first_token_ms <= made.total_ms
    (asked,) = endpoint.asked
    assert asked["messages"] == [
        {"role": "system", "content": "Answer in a word."},
        {"role": "user", "content": "Capital of France?"},
    ]
    assert (asked["model"], asked["max_tokens"]) == ("big", 9)
    assert (asked["temperature"], asked["seed"]) == (0, 0)


def test_no_more_is_told_of_this_machine_than_it_must(endpoint: Any) -> None:
    Asking(endpoint).ask()

    (headers,) = endpoint.headers
    assert {name.lower() for name in headers} == {
        *("host", "accept", "accept-encoding", "connection"),
        *("user-agent", "content-type", "content-length"),
    }
    assert headers["User-Agent"].startswith("groundtune/")


PASSING = [
    ("429", r"answered 429: trouble 429"),
    ("500", r"answered 500: trouble 500"),
    ("503", r"answered 503"),
    ("silence", r"no answer within 0\.3 seconds"),
    ("stall", r"no further word within 0\.3 seconds"),
    ("drip", r"no whole answer within 0\.6 seconds"),
    ("html", "sent no JSON"),
    ("not json", "sent no JSON"),
    ("no object", "JSON that is no object"),
    ("no choices", "choices that are none"),
    ("no text", "an answer that is no text"),
    ("error event", "overloaded"),
    ("no end", "broke off"),
    ("half", "broke off"),
    ("nothing", "broke off"),
]


@pytest.mark.parametrize("trouble", [trouble for trouble, _ in PASSING])
def test_what_passes_is_tried_again(endpoint: Any, trouble: str) -> None:
    endpoint.troubles = [trouble]

    asking = Asking(endpoint)

    assert asking.ask().text == "Paris [1]"
    assert len(endpoint.asked) == 2
    assert len(asking.waits) == 1


@pytest.mark.parametrize(("trouble", "problem"), PASSING)
def test_what_does_not_pass_is_reported(
    endpoint: Any, trouble: str, problem: str
) -> None:
    endpoint.troubles = [trouble] * 9

    with pytest.raises(EndpointError, match=problem) as caught:
        Asking(endpoint, f"{QUICK}&attempts=2").ask()

    assert "(2 attempts)" in caught.value.problem
    assert len(endpoint.asked) == 2
    assert caught.value.fix
    assert caught.value.where == endpoint.url.split("/")[2]


def test_waits_double_and_end(endpoint: Any) -> None:
    endpoint.troubles = ["500"] * 9
    asking = Asking(endpoint, "attempts=7")

    with pytest.raises(EndpointError, match="7 attempts"):
        asking.ask()

    assert asking.waits == [0.5, 1, 2, 4, 8, 8]


def test_an_endpoint_that_names_a_time_is_given_it(endpoint: Any) -> None:
    endpoint.troubles, endpoint.retry_after = ["429", "503"], "7"
    asking = Asking(endpoint)

    assert asking.ask().text == "Paris [1]"
    assert asking.waits == [7, 7]


def test_an_endpoint_that_names_too_long_a_time_is_reported(endpoint: Any) -> None:
    endpoint.troubles, endpoint.retry_after = ["429"], "3600"
    asking = Asking(endpoint)

    with pytest.raises(EndpointRefusalError, match="asks to wait 3600 seconds"):
        asking.ask()

    assert (len(endpoint.asked), asking.waits) == (1, [])


def test_nobody_there(endpoint: Any) -> None:
    endpoint.url = "http://127.0.0.1:9/v1"
    asking = Asking(endpoint)

    with pytest.raises(EndpointRefusalError, match=r"cannot be reached.*4 attempts"):
        asking.ask()

    assert len(asking.waits) == 3


@pytest.mark.parametrize(
    ("status", "kind", "fix"),
    [
        ("401", EndpointRefusalError, "set a key"),
        ("403", EndpointRefusalError, "set a key"),
        ("404", EndpointRefusalError, "check the URL"),
        ("307", EndpointRefusalError, "redirects are not followed"),
        ("400", GenerationError, "fewer or shorter passages"),
        ("413", GenerationError, "fewer or shorter passages"),
    ],
)
def test_what_cannot_pass_is_not_tried_again(
    endpoint: Any, status: str, kind: type[GenerationError], fix: str
) -> None:
    endpoint.troubles = [status]

    with pytest.raises(kind, match=f"answered {status}") as caught:
        Asking(endpoint).ask()

    assert type(caught.value) is kind
    assert fix in caught.value.fix
    assert len(endpoint.asked) == 1


def test_another_model_is_refused_before_a_word_is_shown(endpoint: Any) -> None:
    endpoint.troubles, pieces = ["other model"], list[str]()

    with pytest.raises(EndpointRefusalError, match="'small' answered") as caught:
        Asking(endpoint).ask(pieces.append)

    assert (pieces, len(endpoint.asked)) == ([], 1)
    assert "answers_as" in caught.value.fix


@pytest.mark.parametrize(
    ("asked", "answered", "query"),
    [
        ("gpt-4o-mini", "gpt-4o-mini-2024-07-18", ""),
        ("gpt-4", "gpt-4-0613", ""),
        ("gemini-2.0-flash", "models/gemini-2.0-flash-001", ""),
        ("llama3", "llama3:latest", ""),
        ("mine", "/models/mine.gguf", "answers_as=/models/mine.gguf"),
        ("mine", "whatever", "answers_as=*"),
        ("mine", "", ""),
    ],
)
def test_a_version_of_the_same_model_is_let_through(
    endpoint: Any, asked: str, answered: str, query: str
) -> None:
    endpoint.model = answered

    assert Asking(endpoint, query, name=asked).ask().text == "Paris [1]"


@pytest.mark.parametrize("answered", ["gpt-4o-mini", "gpt-4-turbo", "gpt-40613", "gpt"])
def test_a_name_that_only_begins_alike_is_another(endpoint: Any, answered: str) -> None:
    endpoint.model = answered

    with pytest.raises(EndpointRefusalError, match="was asked for"):
        Asking(endpoint, name="gpt-4").ask()


def test_half_an_answer_goes_on_where_it_broke_off(endpoint: Any) -> None:
    endpoint.troubles, pieces = ["half", "stall"], list[str]()

    made = Asking(endpoint).ask(pieces.append)

    assert made.text == "".join(pieces) == "Paris [1]"
    assert pieces == ["Par", "is ", "[1]"], "nothing is shown twice"


def test_an_answer_that_begins_otherwise_is_not_joined(endpoint: Any) -> None:
    endpoint.troubles, pieces = ["half", "other words"], list[str]()

    with pytest.raises(EndpointError, match="began otherwise"):
        Asking(endpoint).ask(pieces.append)

    assert pieces == ["Par"]
    endpoint.troubles = ["half", "other words"]
    assert Asking(endpoint).ask().text == "Rome!", "where nobody watches, it counts"


@pytest.mark.parametrize("streams", [True, False])
def test_parameters_that_an_endpoint_refuses_are_left_out(
    endpoint: Any, streams: bool
) -> None:
    endpoint.refuses = ("seed", "stream_options", "max_tokens", "temperature")
    endpoint.streams = streams
    asking = Asking(endpoint)

    assert asking.ask().text == "Paris [1]"
    assert asking.ask().text == "Paris [1]"
    assert asking.waits == []
    last = endpoint.asked[-1]
    assert last["max_completion_tokens"] == 9
    assert not {"seed", "stream_options", "max_tokens", "temperature"} & last.keys()
    assert len(endpoint.asked) == 4 + 1 + 1, "each is refused once and remembered"


def test_an_endpoint_that_tells_no_usage_is_counted(endpoint: Any) -> None:
    endpoint.tells_usage = False

    usage = Asking(endpoint).ask().usage

    assert usage.prompt_tokens > 8
    assert usage.output_tokens >= 4


def test_a_model_that_only_reasons_is_told_of(endpoint: Any) -> None:
    def reason(body: dict[str, Any]) -> str:
        return "" if body["max_tokens"] < 100 else "Paris"

    endpoint.answer = reason
    with pytest.raises(GenerationError, match="spent its tokens"):
        Asking(endpoint).ask()
    asking = Asking(endpoint, "thinking_tokens=100")

    assert asking.ask().text == "Paris"
    assert endpoint.asked[-1]["max_tokens"] == 109


@pytest.mark.parametrize("trouble", ["", "half", "stall", "500", "nothing", "not json"])
def test_the_key_stands_nowhere(
    endpoint: Any, trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    endpoint.troubles = [trouble] * 9 if trouble else []
    endpoint.key = KEY if trouble else "sk-another-key-of-theirs"
    asking = Asking(endpoint, f"{QUICK}&attempts=2", key=KEY)

    with pytest.raises(EndpointError) as caught:
        asking.ask()

    assert endpoint.headers[0]["Authorization"] == f"Bearer {KEY}"
    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    shown = "".join(traceback.format_exception(error))
    seen = [shown, repr(error), str(error.args), caplog.text, repr(vars(asking.client))]
    assert [text for text in seen if KEY in text] == []
    if not trouble:
        assert "answered 401: bad api key: Bearer ***" in error.problem
        assert error.fix == "check the key"


def test_an_answer_that_repeats_the_key_is_cleaned(endpoint: Any) -> None:
    def repeat(_: dict[str, Any]) -> str:
        return f"Your key is {KEY}."

    endpoint.key, endpoint.answer = KEY, repeat
    assert Asking(endpoint, key=KEY).ask().text == "Your key is ***."


def test_foreign_words_cannot_steer_the_terminal() -> None:
    body = '{"error": {"message": "\\u001b[2Jgone\\nfix: run this"}}'

    failure = refusal(500, {}, body, now=0.0, has_key=False)

    assert failure.problem == "the endpoint answered 500: [2Jgone fix: run this"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after-ms": "250", "retry-after": "3"}, 0.25),
        ({"retry-after": "Thu, 01 Jan 1970 00:01:40 GMT"}, 60.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-4"}, 0.0),
        ({}, None),
    ],
)
def test_times_to_wait_are_read(headers: dict[str, str], seconds: float | None) -> None:
    assert refusal(429, headers, "", now=40.0, has_key=True).wait_seconds == seconds


def test_a_used_up_account_is_not_asked_again() -> None:
    body = '{"error": {"message": "no credit", "code": "insufficient_quota"}}'

    assert not refusal(429, {}, body, now=0.0, has_key=True).is_passing
    gemini = '[{"error": {"code": 400, "message": "API key not valid."}}]'
    failure = refusal(400, {}, gemini, now=0.0, has_key=True)
    assert (failure.kind, failure.fix) == (EndpointRefusalError, "check the key")


def test_a_listener_that_fails_is_not_asked_again(endpoint: Any) -> None:
    def closed(_: str) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        Asking(endpoint).ask(closed)

    assert len(endpoint.asked) == 1
    assert Asking(endpoint).ask().text == "Paris [1]"


def test_no_more_requests_at_once_than_settings_allow(endpoint: Any) -> None:
    asking = Asking(endpoint, "concurrency=2")
    threads = [threading.Thread(target=asking.ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(endpoint.asked) == 8
    assert endpoint.most_at_once <= 2


def test_requests_and_tokens_a_minute_are_kept() -> None:
    now = 0.0
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        nonlocal now
        waited.append(seconds)
        now += seconds

    clock = Clock(now=lambda: now, sleep=sleep)
    requests = Pace(concurrency=9, requests=3, clock=clock)
    starts: list[float] = []
    for _ in range(7):
        with requests.turn(0) as sent:
            starts.append(sent.at)
    assert starts == [0, 0, 0, 60, 60, 60, 120]

    now = 0.0
    tokens = Pace(concurrency=9, tokens=100, clock=clock)
    with tokens.turn(500) as first:
        assert first.at == 0, "one that is too large goes when nothing else counts"
        first.tokens = 40
    with tokens.turn(60) as second:
        assert second.at == 0, "what it really took is what counts"
    with tokens.turn(1) as third:
        assert third.at == 60


def test_the_context_is_stated_or_listed_or_a_default(endpoint: Any) -> None:
    def context(query: str = "") -> int:
        remote = open_remote_model(endpoint.spec(query))
        return open_chat_endpoint(remote).context_length

    assert context() == 4096
    assert context("context=700") == 700
    endpoint.models = [{"id": "big", "max_model_len": 32768}, {"id": "other"}]
    assert context() == 32768
    endpoint.models = [{"id": "big", "meta": {"n_ctx": 2048, "n_ctx_train": 8192}}]
    assert context() == 2048
    endpoint.models = [{"id": "other", "max_model_len": 1}, {"id": "big"}]
    assert context() == 4096
