"""Uploads against a server on this machine that refuses what GitHub refuses."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor import upload
from auditor.cli import cli
from auditor.errors import AuditorError
from auditor.reporting import FORMATS
from auditor.reporting.check_sarif import check_sarif
from auditor.reporting.sarif import render_github
from auditor.reporting.shards import split
from auditor.upload import Outcome, Target, Token
from tests import github_server
from tests.github_server import COMMIT, REPOSITORY, TOKEN, Canned, GitHub
from tests.reporting import reports
from tests.reporting.sarif_files import oasis
from tests.reporting.test_check_sarif import MUTATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REF = "refs/heads/main"


@pytest.fixture
def github() -> Iterator[GitHub]:
    with github_server.serving() as state:
        yield state


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.sarif"
    path.write_bytes(b"".join(FORMATS["sarif"](reports.all_verdicts())))
    return path


class Sent:
    """One upload through the functions: what became of the files, and how long was waited."""

    def __init__(self, github: GitHub, *paths: Path, timeout: float = 300, secret: str = TOKEN) -> None:
        self.outcomes: list[Outcome] = []
        self.pauses: list[float] = []
        target = Target(REPOSITORY, REF, COMMIT, github.url)
        upload.send(
            upload.load([str(path) for path in paths]),
            target,
            Token(secret),
            timeout=timeout,
            tell=self.outcomes.append,
            pause=self.pauses.append,
        )


def methods(github: GitHub) -> list[str]:
    return [method for method, _, _ in github.requests]


# --- what is sent ---------------------------------------------------------------------------------------


def test_a_file_is_sent_whole_and_followed_until_it_is_processed(github: GitHub, report: Path) -> None:
    sent = Sent(github, report)
    assert sent.outcomes == [Outcome(str(report), "processed", refused=False)]
    (body,) = github.uploads.values()
    assert body["document"] == orjson.loads(report.read_bytes())
    assert (body["ref"], body["commit_sha"], body["tool_name"]) == (REF, COMMIT, "gke-auditor")
    assert methods(github) == ["POST", "GET"]
    headers = github.requests[0][2]
    assert headers["Accept"] == "application/vnd.github+json"
    assert headers["X-GitHub-Api-Version"] == "2022-11-28"
    assert headers["User-Agent"].startswith("gke-auditor/")


def test_the_same_file_is_sent_as_the_same_bytes(github: GitHub, report: Path) -> None:
    Sent(github, report)
    Sent(github, report)
    first, second = github.uploads.values()
    assert first["sarif"] == second["sarif"]


def test_shards_are_sent_one_after_the_other(github: GitHub, tmp_path: Path) -> None:
    whole = reports.all_verdicts()
    for shard in split(whole, 3):
        (tmp_path / f"r.{shard.name}.sarif").write_bytes(b"".join(render_github(shard.report, shard)))
    (tmp_path / "notes.txt").write_text("not SARIF")
    sent = Sent(github, tmp_path)
    assert [Path(one.file).name for one in sent.outcomes] == [
        "r.shard-01.sarif", "r.shard-02.sarif", "r.shard-03.sarif",
    ]  # fmt: skip
    assert not any(one.refused for one in sent.outcomes)
    assert methods(github) == ["POST", "GET"] * 3
    results = sum(len(one["document"]["runs"][0]["results"]) for one in github.uploads.values())
    assert results == 6


def test_pending_files_are_asked_for_ever_less_often(github: GitHub, report: Path) -> None:
    github.pending = 7
    sent = Sent(github, report)
    assert sent.outcomes[0].text == "processed"
    assert sent.pauses == [1, 2, 4, 8, 16, 30, 30, 30]


def test_a_file_that_stays_pending_is_told_with_its_id(github: GitHub, report: Path) -> None:
    github.pending = 1_000
    with pytest.raises(AuditorError, match="still processing") as caught:
        Sent(github, report, timeout=20)
    assert "--timeout" in caught.value.hint
    assert "code-scanning/sarifs/47177e22" in caught.value.hint


def test_a_file_not_yet_known_everywhere_counts_as_pending(github: GitHub, report: Path) -> None:
    github.next_answers = []
    original = github_server._Handler.do_POST

    def then_forget(handler: Any) -> None:
        original(handler)
        github.next_answers.append(Canned(404, b'{"message": "Not Found"}'))

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(github_server._Handler, "do_POST", then_forget)
        assert Sent(github, report).outcomes[0].text == "processed"
    assert methods(github) == ["POST", "GET", "GET"]


# --- what GitHub refuses --------------------------------------------------------------------------------


REFUSED_WHEN_PROCESSED = {
    "no locations": "expected at least one location",
    "a logical location only": "expected a physical location",
    "an empty uri": "expected artifact location",
    "an https uri": 'SARIF URI scheme "https" did not match the checkout URI scheme "file"',
    "spaces in the uri": "an invalid URI was provided as a SARIF location",
    "a failed execution": "unsuccessful execution",
    "a severity in words": "invalid security severity value, is not a number",
    "25 tags": "more tags per rule than allowed",
    "a message by id alone": "message.text is required",
    "two runs of a category": "multiple runs with the same category",
    "too many results": "more results per run than allowed (25001 > 25000)",
}


@pytest.mark.parametrize("name", REFUSED_WHEN_PROCESSED)
def test_githubs_reason_is_shown_as_it_is(name: str, github: GitHub, report: Path) -> None:
    document = orjson.loads(report.read_bytes())
    MUTATIONS[name][0](document)
    report.write_bytes(orjson.dumps(document))
    (outcome,) = Sent(github, report).outcomes
    assert outcome.refused
    assert REFUSED_WHEN_PROCESSED[name] in outcome.text


@pytest.mark.parametrize("name", MUTATIONS)
def test_what_the_server_refuses_is_found_before(name: str) -> None:
    document = orjson.loads(b"".join(FORMATS["sarif"](reports.all_verdicts())))
    assert github_server.refusals(document) == []
    mutated = deepcopy(document)
    MUTATIONS[name][0](mutated)
    try:
        refused = github_server.refusals(mutated)
    except (AttributeError, KeyError, TypeError):
        refused = ["not the shape of SARIF"]
    if refused:
        assert any(violation.refused for violation in check_sarif(mutated)), refused


@settings(max_examples=200)
@given(st.data())
def test_whatever_is_changed_nothing_that_the_server_refuses_passes_the_check(data: st.DataObject) -> None:
    document = orjson.loads(b"".join(FORMATS["sarif"](reports.all_verdicts())))
    run = document["runs"][0]
    first = run["results"][0]
    target: Any = data.draw(
        st.sampled_from(
            [
                first,
                first["message"],
                first["locations"][0],
                first["locations"][0]["physicalLocation"]["artifactLocation"],
                run["tool"]["driver"]["rules"][0]["properties"],
                run["invocations"][0],
                run["automationDetails"],
            ]
        )
    )
    key = data.draw(st.sampled_from(sorted(target)))
    if data.draw(st.booleans()):
        del target[key]
    else:
        target[key] = data.draw(ODD)
    # What does not have the shape of SARIF is for the schemas to refuse.
    if oasis().is_valid(document) and (refused := github_server.refusals(document)):
        assert any(violation.refused for violation in check_sarif(document)), refused


ODD: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(
        ["", " ", "a:b/c", "file:/a", "https://x/y", "a b", "a%2", "a\\b", "8", "8.0", "-1", "1e1", "High"]
    ),
    st.just([]),
    st.just({}),
    st.just([f"tag-{n}" for n in range(21)]),
)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (400, b'{"message": "Invalid SARIF. JSON syntax error: x"}', "Invalid SARIF. JSON syntax error: x"),
        (413, b'{"message": "Payload too big"}', "Payload too big"),
        (422, b'{"message": "Bad", "errors": ["no commit", {"message": "no ref"}]}', "no commit; no ref"),
        (422, b'{"message": "Bad", "errors": [{"field": "ref"}]}', '{"field":"ref"}'),
    ],
)  # fmt: skip
def test_a_refusal_at_the_door_is_one_too(
    status: int, body: bytes, said: str, github: GitHub, report: Path
) -> None:
    github.next_answers = [Canned(status, body)]
    (outcome,) = Sent(github, report).outcomes
    assert outcome.refused
    assert said in outcome.text
    assert str(status) in outcome.text


def test_many_and_long_reasons_are_shortened(github: GitHub, report: Path) -> None:
    body = orjson.dumps({"message": "x" * 5_000, "errors": ["y" * 500] * 1_000})
    github.next_answers = [Canned(400, body)]
    (outcome,) = Sent(github, report).outcomes
    assert len(outcome.text) < 2_100


# --- what keeps it from being sent ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "said", "hint"),
    [
        (Canned(401, b'{"message": "Bad credentials"}'), "Bad credentials", "security_events"),
        (Canned(403, b'{"message": "Code scanning is not enabled"}'), "is not enabled", "archived"),
        (Canned(404, b'{"message": "Not Found"}'), "acme/findings", "--repository"),
        (Canned(200, b"<html>hello</html>"), "not documented", "--api-url"),
        (Canned(202, b"{}"), "under which id", "alerts"),
        (Canned(202, b'{"id": "../../user"}'), "under which id", "alerts"),
        (Canned(302, b"", {"Location": "https://evil.example/"}), "another server", "--api-url"),
        (Canned(307, b"", {}), "another server", "--api-url"),
    ],
)  # fmt: skip
def test_what_stands_in_the_way_is_said_with_a_remedy(
    answer: Canned, said: str, hint: str, github: GitHub, report: Path
) -> None:
    github.next_answers = [answer]
    with pytest.raises(AuditorError) as caught:
        Sent(github, report)
    assert said in str(caught.value)
    assert hint in caught.value.hint
    assert caught.value.place == str(report)
    assert methods(github) == ["POST"]


def test_a_renamed_repository_is_followed_on_the_same_server(github: GitHub, report: Path) -> None:
    there = f"{github.url}/repositories/42/code-scanning/sarifs"
    github.next_answers = [Canned(307, b"", {"Location": there})]
    assert Sent(github, report).outcomes[0].text == "processed"
    assert methods(github) == ["POST", "POST", "GET"]


def test_redirects_do_not_go_on_for_ever(github: GitHub, report: Path) -> None:
    github.next_answers = [Canned(307, b"", {"Location": "/x"})] * 10
    with pytest.raises(AuditorError, match="not documented"):
        Sent(github, report)
    assert len(github.requests) == 4


def test_a_busy_server_is_asked_again(github: GitHub, report: Path) -> None:
    github.next_answers = [Canned(503), Canned(500), Canned(502)]
    sent = Sent(github, report)
    assert sent.outcomes[0].text == "processed"
    assert sent.pauses == [1, 2, 4, 1]


@pytest.mark.parametrize(
    ("answer", "pause"),
    [
        (Canned(429, b"{}", {"Retry-After": "7"}), 7),
        (Canned(403, b"{}", {"Retry-After": "9"}), 9),
        (Canned(403, b'{"message": "You have exceeded a secondary rate limit."}'), 60),
        (Canned(429, b"{}", {"Retry-After": "soon"}), 60),
        (Canned(403, b"{}", {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"}), 1),
        (Canned(503, b"{}", {"Retry-After": "0"}), 1),
    ],
)
def test_a_limit_is_waited_out_as_long_as_github_says(
    answer: Canned, pause: float, github: GitHub, report: Path
) -> None:
    github.next_answers = [answer]
    sent = Sent(github, report)
    assert sent.pauses[0] == pause
    assert sent.outcomes[0].text == "processed"


def test_a_limit_longer_than_there_is_time_is_an_error_at_once(github: GitHub, report: Path) -> None:
    github.next_answers = [Canned(429, b'{"message": "API rate limit exceeded"}', {"Retry-After": "3600"})]
    with pytest.raises(AuditorError, match="API rate limit exceeded") as caught:
        Sent(github, report)
    assert "3600 seconds" in caught.value.hint


def test_a_server_that_is_not_there_is_tried_a_few_times(report: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nowhere = GitHub(url=f"http://127.0.0.1:{free.getsockname()[1]}")
    with pytest.raises(AuditorError, match=r"cannot be reached at http://127\.0\.0\.1") as caught:
        Sent(nowhere, report)
    assert "Connection refused" in str(caught.value)


def test_an_answer_that_breaks_off_is_asked_for_again(github: GitHub, report: Path) -> None:
    github.next_answers = [Canned(202, b"", {"Transfer-Encoding": "gzip"})]
    original = github_server._Handler._send

    def cut(handler: Any, status: int, body: bytes, headers: dict[str, str]) -> None:
        if headers.get("Transfer-Encoding"):
            handler.wfile.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 500\r\n\r\n{")
            handler.close_connection = True
        else:
            original(handler, status, body, headers)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(github_server._Handler, "_send", cut)
        assert Sent(github, report).outcomes[0].text == "processed"
    assert methods(github) == ["POST", "POST", "GET"]


def test_an_answer_without_end_is_not_read_to_its_end(github: GitHub, report: Path) -> None:
    github.next_answers = [Canned(404, b'{"message": "' + b"x" * 5_000_000)]
    with pytest.raises(AuditorError, match="knows no repository"):
        Sent(github, report)


# --- the token ------------------------------------------------------------------------------------------


def test_a_token_that_a_server_echoes_is_not_shown(github: GitHub, report: Path) -> None:
    github.next_answers = [
        Canned(403, orjson.dumps({"message": f"no access with {TOKEN}", "errors": [TOKEN]}))
    ]
    with pytest.raises(AuditorError) as caught:
        Sent(github, report)
    assert TOKEN not in str(caught.value)
    assert "no access with ***" in str(caught.value)


def test_the_token_is_in_no_representation() -> None:
    assert TOKEN not in repr(Token(TOKEN))
    assert TOKEN not in str(Token(TOKEN))


def test_a_netrc_file_does_not_replace_the_token(
    github: GitHub, report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert Sent(github, report).outcomes[0].text == "processed"


def test_the_token_comes_from_a_file_before_the_environment(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-file\n")
    environment = {"GITHUB_TOKEN": "from-environment"}
    assert upload.token(str(tmp_path / "token"), environment) == Token("from-file")
    assert upload.token(None, environment) == Token("from-environment")


@pytest.mark.parametrize("text", ["", " \n", "two words", "a\r\nX-Evil: 1", "é", "x" * 3_000])
def test_what_is_no_token_is_refused_without_being_shown(text: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(text)
    with pytest.raises(AuditorError) as caught:
        upload.token(str(tmp_path / "token"), {})
    assert not text.strip() or text not in str(caught.value) + caught.value.hint


def test_a_token_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AuditorError, match="No such file"):
        upload.token(str(tmp_path / "token"), {"GITHUB_TOKEN": TOKEN})
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(AuditorError, match="not text"):
        upload.token(str(tmp_path / "binary"), {})


# --- the target -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://api.github.com",
        "https://github.example/api/v3/",
        "http://127.0.0.1:8080",
        "http://localhost:1/api/v3",
        "http://[::1]:8080",
        "http://127.8.8.8",
    ],
)
def test_https_and_loopback_are_addresses_to_send_a_token_to(url: str) -> None:
    endpoint = Target(REPOSITORY, REF, COMMIT, url).endpoint
    assert endpoint == f"{url.rstrip('/')}/repos/acme/findings/code-scanning/sarifs"


@pytest.mark.parametrize(
    "url",
    [
        "http://api.github.com",
        "http://10.0.0.1",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "ftp://127.0.0.1",
        "https://user:secret@github.example",
        "https://",
        "https://github.example/?x=1",
        "https://github.example/#x",
        "https://github.example:99999",
        "https://[::1",
        "api.github.com",
        "file:///etc/passwd",
        "",
    ],
)
def test_no_other_address_is(url: str) -> None:
    with pytest.raises(AuditorError) as caught:
        Target(REPOSITORY, REF, COMMIT, url)
    assert caught.value.place == "--api-url"


@pytest.mark.parametrize(
    ("repository", "ref", "commit", "place"),
    [
        ("findings", REF, COMMIT, "--repository"),
        ("acme/findings/x", REF, COMMIT, "--repository"),
        ("acme/..", REF, COMMIT, "--repository"),
        ("../x", REF, COMMIT, "--repository"),
        ("acme/fin dings", REF, COMMIT, "--repository"),
        ("acme/x?y", REF, COMMIT, "--repository"),
        (REPOSITORY, "main", COMMIT, "--ref"),
        (REPOSITORY, "refs/heads/a b", COMMIT, "--ref"),
        (REPOSITORY, "refs/heads/a\n", COMMIT, "--ref"),
        (REPOSITORY, REF, "0123456", "--commit"),
        (REPOSITORY, REF, "HEAD", "--commit"),
    ],
)
def test_a_target_that_cannot_be_meant_is_refused(repository: str, ref: str, commit: str, place: str) -> None:
    with pytest.raises(AuditorError) as caught:
        Target(repository, ref, commit)
    assert caught.value.place == place


# --- the command ----------------------------------------------------------------------------------------


@pytest.fixture
def run(
    github: GitHub, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    for name in ("GITHUB_REPOSITORY", "GITHUB_REF", "GITHUB_SHA", "GITHUB_API_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    monkeypatch.setattr("auditor.upload.time.sleep", lambda _: None)

    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as exit_:
            cli(
                [
                    "upload", *map(str, arguments), "--repository", REPOSITORY, "--ref", REF,
                    "--commit", COMMIT, "--api-url", github.url,
                ]
            )  # fmt: skip
        captured = capsys.readouterr()
        assert TOKEN not in captured.out + captured.err
        return int(exit_.value.code or 0), captured.out, captured.err

    return call


def test_a_processed_file_exits_with_0(run: Callable[..., tuple[int, str, str]], report: Path) -> None:
    assert run(report) == (0, f"{report}: processed\n", "")
    assert run(report, "--quiet") == (0, "", "")


def test_a_file_that_github_would_refuse_is_not_sent(
    run: Callable[..., tuple[int, str, str]], report: Path, github: GitHub
) -> None:
    document = orjson.loads(report.read_bytes())
    MUTATIONS["no locations"][0](document)
    report.write_bytes(orjson.dumps(document))
    code, out, err = run(report)
    assert (code, out) == (1, "")
    assert "/runs/0/results/0/locations" in err
    assert "remedy: " in err
    assert "nothing was sent" in err
    assert github.requests == []


def test_a_file_can_be_sent_unchecked_and_githubs_refusal_exits_with_1(
    run: Callable[..., tuple[int, str, str]], report: Path
) -> None:
    document = orjson.loads(report.read_bytes())
    MUTATIONS["no locations"][0](document)
    report.write_bytes(orjson.dumps(document))
    code, out, err = run(report, "--no-check")
    assert (code, out) == (1, "")
    assert err.startswith(f"refused: {report}: GitHub could not process it: locationFromSarifResult")


def test_a_file_that_github_takes_but_cuts_is_sent(
    run: Callable[..., tuple[int, str, str]], report: Path
) -> None:
    document = orjson.loads(report.read_bytes())
    MUTATIONS["11 tags"][0](document)
    report.write_bytes(orjson.dumps(document))
    assert run(report)[0] == 0


def test_two_files_of_one_category_are_not_sent(
    run: Callable[..., tuple[int, str, str]], report: Path, github: GitHub
) -> None:
    other = report.with_name("other.sarif")
    other.write_bytes(report.read_bytes())
    code, _, err = run(report, other)
    assert code == 1
    assert "duplicate-category" in err
    assert github.requests == []


def test_what_could_not_be_sent_exits_with_2(
    run: Callable[..., tuple[int, str, str]], report: Path, github: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    github.next_answers = [Canned(404, b'{"message": "Not Found\\u001b[2J"}')]
    code, _, err = run(report)
    assert code == 2
    assert err.startswith(f"error: {report}: GitHub knows no repository acme/findings")
    assert "\nhint: " in err
    assert "\x1b" not in err
    monkeypatch.delenv("GITHUB_TOKEN")
    code, _, err = run(report)
    assert code == 2
    assert "--token-file" in err
    assert run("missing.sarif")[0] == 2


def test_the_token_cannot_be_given_on_the_command_line(
    run: Callable[..., tuple[int, str, str]], report: Path
) -> None:
    assert run(report, "--token", "x")[0] == 2


def test_in_github_actions_the_environment_says_where_to(
    github: GitHub, report: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "GITHUB_REPOSITORY": REPOSITORY, "GITHUB_REF": REF, "GITHUB_SHA": COMMIT,
        "GITHUB_API_URL": github.url, "GITHUB_TOKEN": TOKEN,
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("auditor.upload.time.sleep", lambda _: None)
    with pytest.raises(SystemExit) as exit_:
        cli(["upload", str(report)])
    assert (exit_.value.code, capsys.readouterr().out) == (0, f"{report}: processed\n")


def test_the_shards_that_a_scan_writes_are_taken(
    run: Callable[..., tuple[int, str, str]], github: GitHub, tmp_path: Path
) -> None:
    with pytest.raises(SystemExit):
        cli(
            [
                "scan", "demo", "--quiet", "--output", f"sarif={tmp_path}/out/r.sarif",
                "--sarif-shards", "3", "--sarif-incomplete", "write",
            ]
        )  # fmt: skip
    code, out, _ = run(tmp_path / "out")
    assert code == 0
    assert out.count(": processed\n") == 3
    assert len(github.uploads) == 3


def test_a_proxy_is_not_asked_for_a_server_on_this_machine(
    github: GitHub, report: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert Sent(github, report).outcomes[0].text == "processed"


def test_the_program_uploads_as_a_process_of_its_own(github: GitHub, report: Path) -> None:
    done = subprocess.run(
        [
            sys.executable, "-m", "auditor", "upload", report, "--repository", REPOSITORY, "--ref", REF,
            "--commit", COMMIT, "--api-url", github.url,
        ],
        env={**os.environ, "GITHUB_TOKEN": TOKEN}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{report}: processed\n", "")
