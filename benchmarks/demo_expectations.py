"""What the rules about traffic, and the readiness, must say of the demo organisation.

One line a cluster: its name, then a verdict for each of `TRAFFIC_RULES`: `p` pass, `F` fail, `-` not
applicable, `?` unknown.
"""

from __future__ import annotations

TRAFFIC_RULES = (
    "same-node-traffic-denied",
    "same-node-traffic-would-be-denied",
    "pod-traffic-denied",
    "rare-protocol-traffic-denied",
    "firewall-logging-off",
)

TRAFFIC = """
storefront-eu    p - p p p
storefront-us    p - p F p
orders           - p p p F
orders-dr        - p p p F
search           p - p p p
suggest          p - p p p
search-indexer   - p p F F
warehouse-etl    - p p p F
stream           p - p F F
payments         F - F p F
ledger           - F F p F
tokenizer        p - p p p
pos-gateway      p - p p F
pos-returns      - p p p F
erp              - p p p F
erp-reports      p - p p F
fraud-scoring    F - F p F
fraud-training   - F F p F
edge-proxy       F - F p F
edge-cache       p - p p p
partner-api      ? - ? ? F
dev-apps         - p p p F
ci               - F F p F
mesh             p - p p F
hr-portal        - p p p F
feature-preview  - - - - -
sandbox-ml       ? ? ? ? ?
kestrel-routing  ? - ? ? ?
"""

READINESS = {
    "working": "storefront-eu storefront-us search suggest tokenizer erp-reports edge-cache mesh",
    "ready": "orders orders-dr search-indexer dev-apps",
    "degraded": "stream payments fraud-scoring edge-proxy",
    "blocked": "warehouse-etl ledger fraud-training ci",
    "unsupported": "pos-gateway pos-returns erp",
    "unknown": "partner-api hr-portal feature-preview sandbox-ml kestrel-routing",
}
