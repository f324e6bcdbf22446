#!/usr/bin/env python3
"""Records `brigade dev` on a terminal of its own, and draws it as an SVG that plays: `.ci/page pictures`."""

import fcntl
import html
import os
import pty
import re
import select
import signal
import struct
import sys
import tempfile
import termios
import time

COLUMNS, ROWS, SECONDS = 110, 30, 9
CELL, LINE = 7.8, 17
ESCAPE = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])|\x1b[()][A-Z0-9]|\x1b[78=>]")
COLOURS = {31: "#ff7b72", 32: "#7ee787", 33: "#e3b341", 34: "#79c0ff", 35: "#d2a8ff", 36: "#76e3ea", 90: "#8b949e", 2: "#8b949e"}


class Screen:
    """As much of a terminal as the output needs."""

    def __init__(self):
        self.lines, self.row, self.column, self.colour = [[]], 0, 0, None

    def feed(self, text):
        at = 0
        while at < len(text):
            found = ESCAPE.match(text, at)
            if found:
                self.control(found.group(2), found.group(1) or "")
                at = found.end()
                continue
            self.put(text[at])
            at += 1

    def control(self, kind, given):
        numbers = [int(number) for number in re.findall(r"\d+", given)]
        if kind == "m":
            known = [COLOURS[number] for number in numbers if number in COLOURS]
            self.colour = known[-1] if known else (self.colour if numbers == [1] else None)
        elif kind == "A":
            self.row = max(0, self.row - (numbers or [1])[0])
        elif kind == "G":
            self.column = (numbers or [1])[0] - 1
        elif kind == "K":
            line = self.lines[self.row]
            line[:] = [] if numbers == [2] else line[: self.column]
        elif kind == "J":
            del self.lines[self.row + 1 :], self.lines[self.row][self.column :]

    def put(self, char):
        if char == "\r":
            self.column = 0
        elif char == "\n":
            self.row += 1
            if self.row == len(self.lines):
                self.lines.append([])
        elif char >= " ":
            if self.column == COLUMNS:
                self.column = 0
                self.put("\n")
            line = self.lines[self.row]
            line.extend([(" ", None)] * (self.column + 1 - len(line)))
            line[self.column] = (char, self.colour)
            self.column += 1

    def shown(self):
        return [list(line) for line in self.lines[-ROWS:]]


def record(command, folder):
    """The screen at each moment that it changed, with the second."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.environ.update(TERM="xterm-256color", XDG_RUNTIME_DIR=folder)
        os.execv(command[0], ["brigade", *command[1:]])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    began, screen, frames, rest = time.monotonic(), Screen(), [], b""
    is_asked = False
    while True:
        elapsed = time.monotonic() - began
        if elapsed > SECONDS and not is_asked:
            os.kill(child, signal.SIGINT)
            is_asked = True
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            rest += os.read(terminal, 65536)
        except OSError:
            break
        text = rest.decode(errors="ignore")
        rest = b""
        screen.feed(text)
        if not frames or elapsed - frames[-1][0] > 0.4:
            frames.append((elapsed, screen.shown()))
        else:
            frames[-1] = (frames[-1][0], screen.shown())
    os.waitpid(child, 0)
    return frames


def spans(line):
    text, colour = "", None
    for char, own in [*line, (None, None)]:
        if text and (own != colour or char is None):
            fill = f' fill="{colour}"' if colour else ""
            yield f"<tspan{fill}>{html.escape(text)}</tspan>"
            text = ""
        colour = own
        text += char or ""


def draw(frames):
    total = frames[-1][0] + 4
    width, height = int(COLUMNS * CELL) + 24, ROWS * LINE + 24
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="brigade dev on a terminal">',
        f'<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>',
        f'<style>text{{font:13px ui-monospace,monospace;fill:#e6edf3;white-space:pre}}g{{visibility:hidden;animation:{total:.1f}s step-end infinite}}',
    ]
    for index, (at, _) in enumerate(frames):
        until = frames[index + 1][0] if index + 1 < len(frames) else total
        begin, end = 100 * at / total, 100 * until / total
        steps = f"0%{{visibility:hidden}}{begin:.2f}%{{visibility:visible}}" if begin else "0%{visibility:visible}"
        steps += f"{end:.2f}%{{visibility:hidden}}" if end < 100 else ""
        parts.append(f"@keyframes f{index}{{{steps}}}#f{index}{{animation-name:f{index}}}")
    parts.append("</style>")
    for index, (_, lines) in enumerate(frames):
        rows = (f'<text x="12" y="{24 + row * LINE}" xml:space="preserve">{"".join(spans(line))}</text>' for row, line in enumerate(lines) if line)
        parts.append(f'<g id="f{index}">{"".join(rows)}</g>')
    return "\n".join([*parts, "</svg>", ""])


with tempfile.TemporaryDirectory() as folder:
    frames = record([os.environ["BRIGADE"], "dev"], folder)
with open(sys.argv[1], "w", encoding="utf-8") as file:
    file.write(draw(frames))
