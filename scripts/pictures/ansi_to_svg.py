#!/usr/bin/env python3
"""Draws what a terminal shows as an SVG: `tmux capture-pane -e -p | ansi_to_svg.py > out.svg`.

Knows the colours and weights that tinkerbell prints, and nothing else.
"""
import html
import re
import sys

CELL_W, CELL_H, PAD = 8.4, 18, 14
COLOURS = {30: "#4c566a", 31: "#e06c75", 32: "#98c379", 33: "#e5c07b", 34: "#61afef", 35: "#c678dd", 36: "#56b6c2", 37: "#dcdfe4",
           90: "#7f848e", 91: "#e06c75", 92: "#98c379", 93: "#e5c07b", 94: "#61afef", 95: "#c678dd", 96: "#56b6c2", 97: "#ffffff"}
SGR = re.compile(r"\x1b\[([0-9;]*)m")


def spans(line):
    """The line in pieces of one style each: text, colour, bold, faint."""
    colour, bold, faint, at, out = None, False, False, 0, []
    for found in SGR.finditer(line):
        if found.start() > at:
            out.append((line[at:found.start()], colour, bold, faint))
        at = found.end()
        for code in (int(c or 0) for c in found.group(1).split(";")):
            if code == 0:
                colour, bold, faint = None, False, False
            elif code == 1:
                bold = True
            elif code == 2:
                faint = True
            elif code == 22:
                bold = faint = False
            elif code == 39:
                colour = None
            elif code in COLOURS:
                colour = COLOURS[code]
    out.append((line[at:], colour, bold, faint))
    return [piece for piece in out if piece[0]]


def main():
    lines = [line.rstrip() for line in sys.stdin.read().rstrip().split("\n")]
    width = max(len(SGR.sub("", line)) for line in lines)
    w, h = PAD * 2 + width * CELL_W, PAD * 2 + len(lines) * CELL_H
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w:.0f} {h:.0f}" width="{w:.0f}" height="{h:.0f}" '
          'font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,monospace" font-size="14">')
    print(f'<rect width="100%" height="100%" rx="8" fill="#21252b"/>')
    for row, line in enumerate(lines):
        column = 0
        for text, colour, bold, faint in spans(line):
            x, y = PAD + column * CELL_W, PAD + row * CELL_H + 13
            style = (' font-weight="bold"' if bold else "") + (' opacity="0.6"' if faint else "")
            print(f'<text x="{x:.1f}" y="{y}" fill="{colour or "#dcdfe4"}"{style} textLength="{len(text) * CELL_W:.1f}" '
                  f'xml:space="preserve">{html.escape(text)}</text>')
            column += len(text)
    print("</svg>")


main()
