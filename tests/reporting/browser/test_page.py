"""The HTML report in a real browser, opened from a file with the network off."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from auditor.engine.result import Verdict
from tests.reporting import reports

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.reporting.browser.conftest import Recorded

    Open = Callable[..., Recorded]

CHECKOUT = reports.cluster_ref("checkout").name
DENIED = next(r for r in reports.all_verdicts().results if r.rule == "same-node-traffic-denied")
VIEWS = ("findings", "clusters", "rules", "waivers", "gaps", "method")


def rows(page: Page, view: str = "findings") -> list[str]:
    """The texts of the drawn rows of a list."""
    return page.locator(f"#{view}-list [role=row][aria-rowindex]").all_inner_texts()


def said(page: Page, view: str = "findings") -> str:
    return page.locator(f"#{view} .tally-line").inner_text()


def test_it_opens_without_error_and_asks_nobody_for_anything(open_page: Open) -> None:
    recorded = open_page()
    assert recorded.page.locator("h1").inner_text() == f"Intra-node visibility in {reports.ORGANIZATION}"
    assert len(rows(recorded.page)) == 9
    assert all(url.startswith("file:") for url in recorded.requests)


@pytest.mark.parametrize(
    ("name", "theme"),
    [("all_verdicts", "light"), ("all_verdicts", "dark"), ("hostile", "light"), ("empty", "dark")],
)
def test_axe_finds_no_violation_in_any_view(open_page: Open, axe: str, name: str, theme: str) -> None:
    page = open_page(name, theme=theme).page
    page.evaluate(axe + ";0")  # our policy blocks script tags, not the debugger
    fragments = [f"#{view}" for view in VIEWS]
    if name == "all_verdicts":
        fragments += [f"#f={DENIED.fingerprint}", f"#c={CHECKOUT}"]
    for fragment in fragments:
        page.evaluate("hash => { location.hash = hash }", fragment)
        expect(page.get_by_text("Reading the details")).to_have_count(0)
        # The summary is the same in every view: once is enough.
        part = "document" if fragment == "#findings" else "document.querySelector('.view:not([hidden])')"
        result: dict[str, Any] = page.evaluate(f"axe.run({part}, {{resultTypes: ['violations']}})")
        found = [(v["id"], [n["html"] for n in v["nodes"]][:3]) for v in result["violations"]]
        assert not found, fragment


def test_an_injected_script_does_not_run(open_page: Open) -> None:
    recorded = open_page()
    page = recorded.page
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.injected = true";
            document.body.append(script);
            const image = document.createElement("img");
            image.setAttribute("onerror", "window.injected = true");
            image.src = "https://evil.example/x.png";
            document.body.append(image);
        }"""
    )
    page.wait_for_timeout(100)
    assert page.evaluate("window.injected") is None
    refused = [p for p in recorded.problems if "Content Security Policy" in p]
    assert len(refused) >= 2
    recorded.problems[:] = [p for p in recorded.problems if p not in refused]
    recorded.requests[:] = [url for url in recorded.requests if "evil" not in url]


def test_the_picture_of_the_fleet_leads_to_the_clusters_of_a_state(open_page: Open) -> None:
    page = open_page().page
    segment = page.locator("svg.fleet a", has=page.locator("title", has_text="1 cluster blocked"))
    segment.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#clusters-list [role=row]")).to_have_count(1)
    assert page.evaluate("location.hash") == "#view=clusters&readiness=blocked"
    assert "ledger" in rows(page, "clusters")[0]


def test_a_link_with_filters_shows_what_it_says(open_page: Open) -> None:
    links = {
        "#sev=critical": "same-node-traffic-denied",
        "#rule=mtu-needs-intranode-visibility": "mtu-needs-intranode-visibility",
        "#verdict=waived": "flow-logs-disabled",
        "#verdict=fixed": "flow-logs-thinned",
        "#verdict=fail&baseline=unchanged": "masquerade-misses-pod-range",
        "#project=net-host": "stale-gke-firewall-rule",
        "#q=0badcafe": "stale-gke-firewall-rule",
        "#readiness=degraded": "same-node-traffic-denied",
        "#verdict=unknown&project=old-shop&sev=medium": "intranode-visibility-disabled",
    }
    page = open_page(fragment=next(iter(links))).page
    for fragment, rule in links.items():
        page.evaluate("hash => { location.hash = hash }", fragment)
        expect(page.locator("#findings-list [role=row]")).to_have_count(1)
        expect(page.locator("#findings-list [role=row] a")).to_have_text(rule)
        assert said(page).startswith("1 of 11 results")


def test_every_result_that_is_not_a_pass_can_be_listed(open_page: Open) -> None:
    page = open_page(fragment="#verdict=fail,unknown,waived,fixed").page
    listed = [r for r in reports.all_verdicts().results if r.verdict in (Verdict.FAIL, Verdict.UNKNOWN)]
    assert len(rows(page)) == len(listed)


def test_a_filter_narrows_the_list_its_counts_and_the_address(open_page: Open) -> None:
    page = open_page().page
    page.get_by_role("button", name="medium").click()
    assert len(rows(page)) == 4
    assert page.get_by_role("button", name="medium").get_attribute("aria-pressed") == "true"
    assert page.evaluate("location.hash") == "#sev=medium"
    # The counts of a facet are those under the other filters; its own choice does not narrow them.
    assert "1" in page.get_by_role("button", name="critical").inner_text()
    page.get_by_label("Search clusters, rules, messages").fill("ledger")
    expect(page.locator("#findings-list [role=row]")).to_have_count(2)
    assert "q=ledger" in page.evaluate("location.hash")
    page.get_by_role("button", name="Clear filters").click()
    assert len(rows(page)) == 9


def test_an_address_restores_what_was_seen(open_page: Open) -> None:
    page = open_page().page
    page.get_by_role("combobox", name="Rule").select_option("intranode-visibility-disabled")
    page.locator("#findings-list a").first.click()
    page.wait_for_selector(".pane pre")
    address = page.evaluate("location.hash")
    again = open_page(fragment=address).page
    again.wait_for_selector(".pane pre")
    assert rows(again) == rows(page)
    assert again.locator(".pane h3").inner_text() == page.locator(".pane h3").inner_text()
    page.go_back()
    page.wait_for_selector(".pane", state="hidden")


def test_a_fingerprint_opens_its_finding_with_fix_evidence_and_asset(open_page: Open) -> None:
    page = open_page(fragment=f"#f={DENIED.fingerprint}").page
    page.wait_for_selector(".pane pre")
    text = page.locator(".pane").inner_text()
    assert DENIED.message in text
    assert DENIED.remediation is not None
    assert DENIED.remediation.commands[0].splitlines()[0] in text
    assert "65000" in text
    assert DENIED.evidence[0].asset in text
    assert DENIED.resource.name in text
    assert DENIED.fingerprint in text
    assert "every node restart" in text


def test_the_command_that_would_break_a_cluster_carries_a_warning(open_page: Open) -> None:
    page = open_page(fragment="#rule=intranode-visibility-disabled&q=ledger").page
    page.locator("#findings-list a").first.click()
    expect(page.locator(".pane .warn")).to_contain_text(
        "Not yet: the cluster is blocked. Pod range 10.200.0.0/20"
    )
    page.evaluate("location.hash = '#rule=intranode-visibility-disabled&q=sandbox'")
    page.locator("#findings-list a").first.click()
    expect(page.locator(".pane pre")).not_to_have_count(0)
    expect(page.locator(".pane .warn")).to_have_count(0)


def test_an_unknown_fingerprint_is_said_to_be_unknown(open_page: Open) -> None:
    page = open_page(fragment="#f=" + "0" * 64).page
    assert "No such finding" in page.locator(".pane").inner_text()


def test_an_undecided_result_says_why(open_page: Open) -> None:
    page = open_page(fragment="#verdict=unknown&q=legacy").page
    page.locator("#findings-list a").first.click()
    page.wait_for_selector(".pane li")
    assert "The ip-masq-agent ConfigMap was not read." in page.locator(".pane").inner_text()


def test_the_keyboard_leads_from_the_summary_to_a_fix(open_page: Open) -> None:
    page = open_page().page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the findings"
    page.keyboard.press("Enter")
    expect(page.locator("#findings-title")).to_be_focused()
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "findings-list":
            break
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.textContent") == "same-node-traffic-denied"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_selector(".pane .copyable")
    assert page.evaluate("document.activeElement.tagName") == "H3"
    for _ in range(6):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Copy":
            break
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Copy the command"
    page.get_by_role("button", name="Close").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.textContent") == "same-node-traffic-denied"


def test_the_copy_button_copies_the_command(open_page: Open) -> None:
    page = open_page(fragment=f"#f={DENIED.fingerprint}").page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator(".pane").get_by_role("button", name="Copy the command").first.click()
    expect(page.locator("#said")).to_have_text("Copied to the clipboard.")
    assert DENIED.remediation is not None
    assert page.evaluate("navigator.clipboard.readText()") == DENIED.remediation.commands[0]


def test_a_cluster_page_shows_every_fact_and_rule(open_page: Open) -> None:
    page = open_page(fragment=f"#c={CHECKOUT}").page
    page.wait_for_selector(".cluster-page .part")
    text = page.locator(".cluster-page").inner_text()
    for expected in (
        "degraded",
        "Same-node tcp, udp and icmp packets are denied",
        "netd",
        "1.33.5-gke.100",
        "10.8.0.0/16",
        "pods-burst",
        "ip-masq-agent ConfigMap",
        "10.200.0.0/20",
        "INCLUDE_ALL_METADATA",
        "gke-nodes@pay-prod.iam.gserviceaccount.com",
        "TagBindings were not read.",
        "1460 bytes",
        '{"nonMasqueradeCIDRs":["10.0.0.0/9","192.168.0.0/16"]}',
        "Visibility is on.",
    ):
        assert expected in text


def test_a_cluster_page_shows_the_way_of_a_packet_what_is_denied_and_the_repair(open_page: Open) -> None:
    page = open_page(fragment=f"#f={DENIED.fingerprint}", width=1400).page
    page.get_by_role("link", name="The way of one packet, and every packet that is denied").click()
    picture = page.get_by_role("img", name=re.compile(r"From Pod 10\.8\.0\.\d+ to Pod 10\.8\.0\.\d+"))
    said = picture.get_attribute("aria-label")
    assert said is not None
    assert "egress: VPC firewall rules denied by deny-all-egress, priority 65000" in said
    assert "egress: Global network policies not reached" in said
    text = page.locator(".cluster-page").inner_text()
    assert "Denied between two Pods of one node" in text
    assert "Denied between any two nodes" in text
    assert "tcp 3306, 5432-5433" in text
    assert "Allow exactly the denied Pod packets" in text
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator(".repair").get_by_role("button", name="Copy the command").first.click()
    expect(page.locator("#said")).to_have_text("Copied to the clipboard.")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("gcloud compute firewall-rules create allow-pods-egress-checkout-c0ffee ")
    assert "--source-ranges=10.8.0.0/16" in copied


def test_a_finding_leads_to_the_block_that_declares_its_resource(open_page: Open) -> None:
    page = open_page("declared", fragment=f"#f={DENIED.fingerprint}").page
    page.wait_for_selector(".pane .diff")
    text = page.locator(".pane").inner_text()
    assert "gke/main.tf:12 google_container_cluster.checkout (update)" in text
    assert 'gke/this.tf:3 module.gke["eu"].google_container_cluster.this perhaps' in text
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy the change").click()
    expect(page.locator("#said")).to_have_text("Copied to the clipboard.")
    assert page.evaluate("navigator.clipboard.readText()").startswith(
        "--- a/gke/main.tf\n+++ b/gke/main.tf\n"
    )
    page.evaluate("hash => { location.hash = hash }", f"#c={CHECKOUT}")
    expect(page.locator(".cluster-page")).to_contain_text("gke/main.tf:12")


@pytest.mark.parametrize(
    ("cluster", "project", "words"),
    [
        ("legacy", "old-shop", "Cannot be decided between two Pods of one node"),
        ("ledger", "pay-prod", "harmless: GKE closes the read-only kubelet port"),
        ("search", "search-prod", "every packet is allowed"),
    ],
)
def test_the_firewall_analysis_is_told_in_words(
    open_page: Open, cluster: str, project: str, words: str
) -> None:
    name = next(one.resource.name for one in reports.all_verdicts().clusters if one.short_name == cluster)
    assert project in name
    page = open_page(fragment=f"#c={name}", width=400).page
    page.wait_for_selector(".cluster-page .part")
    assert words in page.locator(".cluster-page").inner_text()


def test_a_cluster_without_data_says_so(open_page: Open) -> None:
    page = open_page(fragment=f"#c={reports.cluster_ref('blind', 'old-shop', 'europe-west4').name}").page
    page.wait_for_selector(".cluster-page .part")
    assert "The inventory holds no data for this cluster" in page.locator(".cluster-page").inner_text()


def test_the_ready_clusters_hand_over_their_commands(open_page: Open) -> None:
    page = open_page(fragment="#view=clusters&readiness=ready").page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    assert len(rows(page, "clusters")) == 1
    page.get_by_role("button", name="Copy the commands").click()
    expect(page.locator("#said")).to_have_text("1 command copied.")
    assert page.evaluate("navigator.clipboard.readText()") == reports.ENABLE.format(
        "sandbox-1", "sandbox", "us-central1"
    )


@pytest.mark.parametrize("width", [400, 3840])
@pytest.mark.parametrize("name", ["all_verdicts", "hostile"])
def test_nothing_runs_over_the_side_of_narrow_and_wide_screens(
    open_page: Open, name: str, width: int
) -> None:
    page = open_page(name, width=width).page
    fragments = [f"#{view}" for view in VIEWS]
    if name == "all_verdicts":
        fragments += [f"#f={DENIED.fingerprint}", f"#c={CHECKOUT}"]
    for fragment in fragments:
        page.evaluate("hash => { location.hash = hash }", fragment)
        expect(page.get_by_text("Reading the details")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth") == width, fragment
    page.evaluate("location.hash = '#findings'")
    gaps = page.evaluate(
        """() => {
            const rows = [...document.querySelectorAll("#findings-list .row")];
            const boxes = rows.map((row) => row.getBoundingClientRect());
            return boxes.slice(1).map((box, i) => box.top - boxes[i].bottom);
        }"""
    )
    assert gaps
    assert all(abs(gap) < 1 for gap in gaps)


def test_hostile_text_is_harmless_and_visible(open_page: Open) -> None:
    page = open_page("hostile", "#verdict=fail,unknown,waived").page
    listed = len(reports.hostile().results) - len(reports.HOSTILE)  # each text has one pass
    assert page.locator("#findings-list").get_attribute("aria-rowcount") == str(listed)
    # Open every finding and every cluster: each draws everything it has.
    seen = page.evaluate(
        r"""async () => {
            const texts = [];
            const list = document.getElementById("findings-list");
            const count = Number(list.getAttribute("aria-rowcount"));
            for (let at = 0; at < count; at += 1) {
                list.scrollTop = at * 60;
                await new Promise((done) => requestAnimationFrame(done));
                const row = list.querySelector(`[aria-rowindex="${at + 1}"]`);
                row.querySelector("a").click();
                await new Promise((done) => setTimeout(done, 0));
                texts.push(document.querySelector(".pane").textContent);
            }
            return texts;
        }"""
    )
    assert len(seen) == listed
    everything = "\n".join(seen)
    assert "Reading the details" not in everything
    assert "<script>alert(1)</script>" in everything
    assert r"\u202egnp.exe" in everything
    assert r"lone \ud800 and \udfff surrogates" in everything
    assert r"\x1b[31mred" in everything
    assert not re.search("[\x00-\x08\x0e-\x1f\u202a-\u202e\u2066-\u2069]", everything)
    page.evaluate("location.hash = '#clusters'")
    for link in page.locator("#clusters-list a").all()[:8]:
        page.evaluate("hash => { location.hash = hash }", link.get_attribute("href"))
        page.wait_for_selector(".cluster-page .part")


def test_the_text_of_hostile_names_is_isolated_from_its_surroundings(open_page: Open) -> None:
    page = open_page("hostile").page
    assert page.evaluate(
        "[...document.querySelectorAll('#findings-list [role=row]')].every(row => row.querySelector('bdi'))"
    )


def test_without_script_the_page_tells_the_whole_story(open_page: Open) -> None:
    page = open_page(script=False).page
    text = page.locator("main").inner_text()
    for expected in (
        "1 cluster is losing Pod traffic now.",
        "3 parts of the inventory were not read",
        "Grant roles/cloudasset.viewer on folders/77.",
        "same-node-traffic-denied",
        "checkout",
        "Network-team".lower(),
        "sha256:",
    ):
        assert expected in text
    first = page.locator("#findings-static [role=row]").first
    first.locator("summary").click()
    assert "gcloud compute firewall-rules create" in first.inner_text()


def test_printing_expands_the_list_and_says_what_is_left_out(open_page: Open) -> None:
    page = open_page("big", "#verdict=fail,unknown").page
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    text = page.locator(".print-only").inner_text()
    assert len(page.locator(".printed").all()) == 300
    assert text.startswith("300 results.")
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    page.evaluate("location.hash = '#clusters'")
    page.wait_for_selector("#clusters-list [role=row]", state="attached")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert len(page.locator(".printed").all()) == 500
    assert "The first 500 of 2,000 clusters; 1,500 are left out of this print." in (
        page.locator(".print-only").inner_text()
    )
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert not page.locator(".print-only").all()


def test_it_prints_to_pdf(open_page: Open) -> None:
    page = open_page().page
    assert page.pdf().startswith(b"%PDF-")


def test_a_long_list_keeps_few_rows_in_the_page(open_page: Open) -> None:
    page = open_page("big").page
    assert page.locator("#findings-list").get_attribute("aria-rowcount") == "300"
    assert len(rows(page)) < 60
    page.evaluate("document.getElementById('findings-list').scrollTop = 1e9")
    page.wait_for_selector("#findings-list [aria-rowindex='300']")
    numbers = page.evaluate(
        "[...document.querySelectorAll('#findings-list [role=row]')].map(row => Number(row.ariaRowIndex))"
    )
    assert numbers == sorted(numbers)
    assert len(numbers) < 60


def test_the_theme_can_be_chosen(open_page: Open) -> None:
    page = open_page(theme="dark").page
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    button = page.get_by_role("button", name="Theme: auto")
    button.click()
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark


def test_an_audit_that_found_no_cluster_does_not_look_clean(open_page: Open) -> None:
    page = open_page("empty").page
    assert "No cluster was found" in page.locator(".verdict").inner_text()
    assert "nothing can be said" in page.locator(".verdict").inner_text()
