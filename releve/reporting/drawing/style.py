"""How every page looks: light and dark, on paper, on a small screen."""

BASE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1d2530; --soft: #5b6675; --line: #d9dee5; --mark: #0b6bcb;
  --bad: #b3261e; --good: #1a7f4b; --fill: #f3f5f8; --band: #0b6bcb22;
  --c0: #0b6bcb; --c1: #b25c00; --c2: #6b7280; --c3: #7b3fb5; --c4: #00796b; --c5: #c2185b;
  --e0: #eef1f5; --e1: #c9d8ea; --e2: #93b4d8; --e3: #5a8cc2; --e4: #2b629f;
  --a0: #fbd9b5; --a1: #f7b978; --a2: #ee8c3a; --a3: #cc5c14; --a4: #933307; }
@media screen and (prefers-color-scheme: dark) {
  :root { --paper: #14181e; --ink: #e6eaf0; --soft: #9aa6b5; --line: #3a4350; --mark: #6cb2ff; --bad: #ff8a80;
    --good: #6fd39b; --fill: #1d232b; --band: #6cb2ff2e;
    --c0: #6cb2ff; --c1: #ffb061; --c2: #a3acb9; --c3: #c79bff; --c4: #5fd3c4; --c5: #ff86b3;
    --e0: #222932; --e1: #2b3d52; --e2: #34587f; --e3: #4279b2; --e4: #6aa9ea;
    --a0: #4a3017; --a1: #744413; --a2: #ab5f14; --a3: #e0801f; --a4: #ffb366; } }
* { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
body { max-width: 62rem; margin: 2rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.6rem; margin: 0; overflow-wrap: anywhere; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
h2 { border-bottom: 1px solid var(--line); padding-bottom: .25rem; }
.summary { color: var(--soft); margin: .25rem 0 0; }
table { border-collapse: collapse; margin: .5rem 0 1rem; width: 100%; font-size: .93rem; }
th, td { text-align: left; vertical-align: top; padding: .28rem .75rem .28rem 0; border-bottom: 1px solid var(--line); }
td, li, p { overflow-wrap: anywhere; } th { color: var(--soft); font-weight: 600; }
.scroll td { overflow-wrap: break-word; font-variant-numeric: tabular-nums; }
.figure { white-space: nowrap; }
.facts th { width: 14rem; font-weight: 400; } .missing { color: var(--bad); font-weight: 700; }
@media (max-width: 34rem) { .facts th { width: 8rem; } }
.scroll { overflow-x: auto; } .scroll:focus-visible, summary:focus-visible { outline: 2px solid var(--mark); }
details { margin: .5rem 0 1rem; } summary { cursor: pointer; color: var(--soft); }
.figures { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1.25rem 0 0; }
.figures div { flex: 1 1 11rem; background: var(--fill); border-radius: .4rem; padding: .6rem .9rem; }
.figures dt, .figures dd { color: var(--soft); font-size: .87rem; margin: 0; overflow-wrap: anywhere; }
.figures .value { color: var(--ink); font-size: 1.2rem; font-weight: 600; line-height: 1.35; }
.journal { list-style: none; padding: 0; } .journal > li { border-left: 3px solid var(--line); padding-left: .8rem; }
.journal > li { margin: 0 0 .7rem; } .journal > .good { border-color: var(--good); }
.journal > .bad { border-color: var(--bad); } .journal p { margin: 0; } .journal p span { color: var(--soft); }
.journal ul { margin: .1rem 0 0; padding-left: 1.1rem; font-size: .93rem; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; padding: 0; margin: .3rem 0; }
.legend { font-size: .87rem; color: var(--soft); } .legend svg { vertical-align: -2px; margin-right: .35rem; }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif; } svg text.soft { fill: var(--soft); }
p + svg { max-width: 100%; height: auto; }
svg .axis { stroke: var(--line); fill: none; } svg .zero { stroke: var(--soft); stroke-dasharray: 4 3; }
svg .mark { stroke: var(--mark); fill: var(--mark); } svg .dot { fill: var(--mark); fill-opacity: .75; }
svg .band { fill: var(--band); } svg .promise { stroke: var(--mark); stroke-dasharray: 6 3; fill: none; }
svg .release { stroke: var(--good); fill: var(--good); } svg .refusal { stroke: var(--soft); fill: none; }
svg .rollback { stroke: var(--bad); fill: var(--bad); } svg .event { stroke-width: 1; stroke-opacity: .55; }
svg .open { fill: var(--paper); } svg .doubt { fill-opacity: .22; }
svg .series { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
@media print { :root { color-scheme: light; } details > * { display: block; } .figure { white-space: normal; }
  details::details-content { content-visibility: visible; display: block; height: auto; }
  table { font-size: .8rem; } svg, tr, .journal > li { break-inside: avoid; }
  .scroll { overflow: visible; } .scroll svg { max-width: 100%; height: auto; } }
""".strip()

COLOURS, SHADES = 6, 5  # of lines that are told apart; of a cell, and of one in alarm
COLOUR_RULES = "\n".join(
    [f"svg .c{n} {{ stroke: var(--c{n}); }} svg .f{n} {{ fill: var(--c{n}); }}" for n in range(COLOURS)]
    + [f"svg .e{n} {{ fill: var(--e{n}); }} svg .a{n} {{ fill: var(--a{n}); }}" for n in range(SHADES)]
)
STYLE = f"{BASE}\n{COLOUR_RULES}"
