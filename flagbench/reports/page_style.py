"""The style sheet of a page: light and dark, for phones, desktops and paper."""

from collections.abc import Mapping

from flagbench.reports.figure_files import FONTS
from flagbench.reports.figure_style import DARK, LINE, MUTED

_RULES = """
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-behavior:smooth}
body{margin:0;background:var(--paper);color:var(--ink);font:1rem/1.55 FONTS}
header,main,footer{max-width:62rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:2.5rem}
main:focus{outline:none}
h1{font-size:1.75rem;line-height:1.2;margin:0 0 .5rem;letter-spacing:-.01em;overflow-wrap:anywhere}
h2{font-size:1.3rem;line-height:1.3;margin:3.5rem 0 .75rem;padding-top:1.25rem;
border-top:1px solid var(--line);overflow-wrap:anywhere}
h3{font-size:1.05rem;margin:2.25rem 0 .5rem}
h4{font-size:.95rem;margin:1.75rem 0 .5rem}
p{margin:.5rem 0 1rem;max-width:46rem;overflow-wrap:anywhere}
header p,footer,figcaption,caption,.notes,.facts{color:var(--muted)}
a{color:var(--link);text-underline-offset:.15em}
:focus-visible{outline:2px solid var(--link);outline-offset:2px}
.skip{position:absolute;left:-100rem}
.skip:focus{left:1rem;top:1rem;padding:.5rem 1rem;background:var(--paper);z-index:1}
nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;margin:1rem 0 0;padding:0}
nav a{display:inline-block;padding:.25rem 0;overflow-wrap:anywhere}
.notice{padding:.75rem 1rem;background:var(--soft);border-left:3px solid var(--accent);max-width:none}
.facts{font-size:.875rem;line-height:1.5}
figure{margin:1rem 0 1.75rem}
img{display:block;max-width:100%;height:auto}
figcaption{font-size:.85rem;line-height:1.45;margin-top:.5rem;max-width:46rem}
.table{overflow-x:auto;margin:1.25rem 0 .5rem;background:
linear-gradient(to right,var(--paper) 40%,transparent) 0 0/3rem 100% no-repeat local,
linear-gradient(to left,var(--paper) 40%,transparent) 100% 0/3rem 100% no-repeat local,
linear-gradient(to right,var(--line),transparent) 0 0/.6rem 100% no-repeat scroll,
linear-gradient(to left,var(--line),transparent) 100% 0/.6rem 100% no-repeat scroll}
table{border-collapse:collapse;font-size:.875rem;line-height:1.35;min-width:100%}
caption{text-align:left;font-size:.85rem;padding:0 0 .4rem}
th,td{padding:.32rem .75rem;text-align:left;vertical-align:baseline}
tr>:first-child{padding-left:0}
tr>:last-child{padding-right:.25rem}
tbody th{font-weight:400}
.figures tbody th{min-width:7.5rem}
thead th,thead td{border-bottom:1px solid var(--ink);font-weight:600;vertical-align:bottom}
tbody tr{border-bottom:1px solid var(--faint)}
tbody tr:hover{background:var(--soft)}
tbody th[scope=rowgroup]{padding-top:1rem;font-weight:600;text-align:left}
.figures th+td,.figures td+td,.figures td+th,.figures th+th{text-align:right;white-space:nowrap}
.figures{font-variant-numeric:tabular-nums}
table:not(.figures) td{overflow-wrap:anywhere;min-width:9rem}
table:not(.figures) th{white-space:nowrap}
.notes{font-size:.85rem;line-height:1.45;margin:.5rem 0 1.5rem;padding-left:1.1rem;max-width:46rem}
.notes li{overflow-wrap:anywhere}
pre{white-space:pre-wrap;overflow-wrap:anywhere;padding:.75rem 1rem;background:var(--soft);font-size:.85rem;
line-height:1.5;margin:0 0 1.5rem}
code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
summary{cursor:pointer;padding:.4rem 0;color:var(--link)}
footer{font-size:.85rem;margin-top:4rem;padding-bottom:2rem}
@media (max-width:40em){
header,main,footer{padding-left:1rem;padding-right:1rem}
header{padding-top:1.5rem}
h1{font-size:1.4rem}h2{font-size:1.15rem;margin-top:2.5rem}
th,td{padding-left:.5rem;padding-right:.5rem}
}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
@media print{nav,.skip{display:none}.table{overflow:visible}figure,tr{break-inside:avoid}}
"""

LIGHT_PAGE: Mapping[str, str] = {
    "paper": "#ffffff",
    "ink": "#1b1f24",
    "muted": MUTED,
    "line": LINE,
    "faint": "#e9ebee",
    "soft": "#f5f6f8",
    "link": "#00588a",
    "accent": "#d98e04",
}
DARK_PAGE: Mapping[str, str] = {
    "paper": DARK["#ffffff"],
    "ink": DARK["#000000"],
    "muted": DARK[MUTED],
    "line": DARK[LINE],
    "faint": "#262b32",
    "soft": "#1d2127",
    "link": DARK["#0072b2"],
    "accent": "#e8a93a",
}


def variables(colours: Mapping[str, str]) -> str:
    """Declarations of the colours, each under its name."""
    return "".join(f"--{name}:{colour};" for name, colour in colours.items())


STYLESHEET = (
    f":root{{color-scheme:light dark;{variables(LIGHT_PAGE)}}}"
    f"@media (prefers-color-scheme:dark){{:root{{{variables(DARK_PAGE)}}}}}" + _RULES.replace("FONTS", FONTS)
)
"""Colours first, each under a name, then the rules that use the names."""
