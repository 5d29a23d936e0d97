#!/usr/bin/env python3
"""Draws the output of the example `delayed` as an SVG, for the README.

    cargo run --example delayed | verification/picture.py >examples/delayed.svg
"""
import html
import re
import sys

WIDTH, HEIGHT = 8.4, 20  # Of one character, in pixels.

lines = sys.stdin.read().splitlines()
# The last line names the next example. It and the blank lines before it stay out.
while lines and (not lines[-1] or lines[-1].startswith("Now try: ")):
    lines.pop()
width = round((max(map(len, lines)) + 4) * WIDTH)
height = (len(lines) + 2) * HEIGHT
print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">')
print(f'<rect width="{width}" height="{height}" rx="6" fill="#1b1f24"/>')
print('<g font-family="ui-monospace, Menlo, Consolas, monospace" font-size="14" fill="#d7dce2">')
for number, line in enumerate(lines):
    indent = len(line) - len(line.lstrip())
    # Renderers join spaces, but not no-break spaces.
    text = html.escape(line.strip()).replace(" ", "\u00a0").replace("●", '<tspan fill="#f6c95f">●</tspan>')
    text = re.sub("[━╸]+", r'<tspan fill="#5fb3f6">\g<0></tspan>', text)
    # A fixed length keeps the columns aligned with every font.
    x, length = round((2 + indent) * WIDTH), round((len(line) - indent) * WIDTH)
    if line:
        print(f'<text x="{x}" y="{(number + 2) * HEIGHT - 6}" textLength="{length}">{text}</text>')
print("</g>\n</svg>")
