#!/usr/bin/env python3
"""Draws what a terminal shows as an SVG: `tmux capture-pane -e -p | ansi_to_svg.py > out.svg`.

Knows the colours and weights that tinkerbell prints, and nothing else: another one is an error, so that no picture
shows less than the terminal did.
"""
import html
import re
import sys
import unicodedata

CELL_W, CELL_H, PAD = 8.4, 18, 14
COLOURS = {30: "#4c566a", 31: "#e06c75", 32: "#98c379", 33: "#e5c07b", 34: "#61afef", 35: "#c678dd", 36: "#56b6c2", 37: "#dcdfe4",
           90: "#7f848e", 91: "#e06c75", 92: "#98c379", 93: "#e5c07b", 94: "#61afef", 95: "#c678dd", 96: "#56b6c2", 97: "#ffffff"}
ON = {1: ("bold", ' font-weight="bold"'), 2: ("faint", ' opacity="0.6"'), 3: ("italic", ' font-style="italic"'),
      4: ("underline", ' text-decoration="underline"'), 9: ("struck", ' text-decoration="line-through"')}
OFF = {22: ("bold", "faint"), 23: ("italic",), 24: ("underline",), 29: ("struck",)}
SGR = re.compile(r"\x1b\[([0-9;]*)m")


def cells(text):
    """How many cells a terminal gives the text."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def spans(text):
    """The lines of the text, each in pieces of one style: text, colour, further attributes. tmux carries a style over
    from one line to the next."""
    colour, effects, lines = None, {}, []
    for line in text.split("\n"):
        at, pieces = 0, []
        for found in [*SGR.finditer(line), None]:
            end = found.start() if found else len(line)
            if end > at:
                pieces.append((line[at:end], colour, "".join(effects.values())))
            if not found:
                break
            at = found.end()
            for code in (int(c or 0) for c in found.group(1).split(";")):
                if code == 0:
                    colour, effects = None, {}
                elif code in ON:
                    name, effects[name] = ON[code][0], ON[code][1]
                elif code in OFF:
                    effects = {name: style for name, style in effects.items() if name not in OFF[code]}
                elif code == 39:
                    colour = None
                elif code == 49:
                    pass  # no background, as ever
                elif code in COLOURS:
                    colour = COLOURS[code]
                else:
                    raise ValueError(f"an unknown style {code} in {line!r}")
        lines.append(pieces)
    return lines


def svg(text, columns=0, cursor=None):
    """The picture; `columns` is the least width, `cursor` the column and row of a cursor to draw."""
    lines = spans("\n".join(line.rstrip() for line in text.rstrip().split("\n")))
    width = max(columns, *(sum(cells(piece[0]) for piece in line) for line in lines))
    w, h = PAD * 2 + width * CELL_W, PAD * 2 + len(lines) * CELL_H
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w:.0f} {h:.0f}" width="{w:.0f}" height="{h:.0f}" '
           'font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,monospace" font-size="14">',
           '<rect width="100%" height="100%" rx="8" fill="#21252b"/>']
    if cursor:
        out.append(f'<rect x="{PAD + cursor[0] * CELL_W:.1f}" y="{PAD + cursor[1] * CELL_H}" width="{CELL_W}" height="{CELL_H}" fill="#dcdfe4" opacity="0.5"/>')
    for row, line in enumerate(lines):
        column = 0
        for piece, colour, style in line:
            x, y, length = PAD + column * CELL_W, PAD + row * CELL_H + 13, cells(piece)
            if piece.strip():
                out.append(f'<text x="{x:.1f}" y="{y}" fill="{colour or "#dcdfe4"}"{style} textLength="{length * CELL_W:.1f}" '
                           f'xml:space="preserve">{html.escape(piece)}</text>')
            column += length
    return "\n".join([*out, "</svg>", ""])


if __name__ == "__main__":
    sys.stdout.write(svg(sys.stdin.read()))
