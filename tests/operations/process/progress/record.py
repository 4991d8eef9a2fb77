"""Make the recordings again, by hand, never by the tests: `python tests/operations/process/progress/record.py [NAME…]`.

Each recording is what a real tool wrote, byte for byte: `*.tty` under a pseudo-terminal of 24 × 80, `*.pipe` through a
pipe, with standard output and error in one stream. Long ones keep their beginning, a part of the middle and their end,
cut between lines. Only `*.text` are written by hand. Needs the tools themselves on the PATH, `tqdm`, `pytest` and a
recent `pip` in this Python; uses the loopback interface only (but for reinstalling one Debian package).
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path(__file__).parent
RECORDINGS = HERE / "recordings"
KEPT_PER_PART = 1300  # bytes of the beginning, of the middle and of the end
PYTHON = sys.executable
PLACES = {sys.executable: "/usr/bin/python3", sys.base_prefix: "/usr"}  # as they are written in recordings
PIP = f"{PYTHON} -m pip --isolated --disable-pip-version-check --no-cache-dir"

# name of the recording → shell command; its suffix says through what it is recorded
COMMANDS = {
    "rsync-progress2.tty": "rsync -a --bwlimit=4000 --info=progress2 five/ out/",
    "rsync-progress2.pipe": "rsync -a --bwlimit=4000 --info=progress2 five/ out/",
    "rsync-progress2-verbose.tty": "rsync -av --bwlimit=4000 --info=progress2 five/ out/",
    "rsync-per-file.tty": "rsync -av --bwlimit=4000 --progress five/ out/",
    "rsync-per-file.pipe": "rsync -a --bwlimit=4000 --progress five/ out/",
    "rsync-one-file.tty": "rsync -P --bwlimit=1000 five/1.bin out",
    "rsync-incremental.tty": "rsync -a --info=progress2 tree/ out/",
    "rsync-two-folders.tty": "for d in a b; do rsync -a --bwlimit=4000 --info=progress2 five/ $d/; done",
    "ffmpeg-stderr.tty": "ffmpeg -hide_banner -y -i movie.mkv $FAST out.mkv",
    "ffmpeg-stderr.pipe": "ffmpeg -hide_banner -y -i movie.mkv $FAST out.mkv",
    "ffmpeg-two-inputs.pipe": "ffmpeg -hide_banner -y -i short.mkv -i movie.mkv -map 1 $FAST out.mkv",
    "ffmpeg-live.pipe": "ffmpeg -hide_banner -y -f lavfi -i testsrc=duration=300:size=320x240:rate=10 $FAST out.mkv",
    "ffmpeg-progress.pipe": "ffmpeg -hide_banner -nostats -progress pipe:1 -y -i movie.mkv $FAST out.mkv",
    "ffmpeg-progress-both.tty": "ffmpeg -hide_banner -progress pipe:1 -y -i movie.mkv $FAST out.mkv",
    "ffmpeg-progress-quiet.pipe": "ffmpeg -v error -progress pipe:1 -y -i movie.mkv $FAST out.mkv",
    "curl-meter.tty": "curl -o out $URL/3000000/file.bin",
    "curl-meter.pipe": "curl -o out $URL/3000000/file.bin",
    "curl-meter-no-length.tty": "curl -o out $URL/-3000000/file.bin",
    "curl-meter-upload.tty": "curl --limit-rate 1M -o out -T five/1.bin $URL/0/file.bin",
    "curl-bar.tty": "curl -# -o out $URL/3000000/file.bin",
    "curl-bar.pipe": "curl -# -o out $URL/3000000/file.bin",
    "curl-bar-no-length.tty": "curl -# -o out $URL/-3000000/file.bin",
    "curl-parallel.tty": "curl -Z -o out $URL/3000000/a -o out2 $URL/4500000/b",
    "curl-two-files.tty": "curl -o out $URL/3000000/a -o out2 $URL/3000000/b",
    "wget-bar.tty": "wget $URL/3000000/a-name-so-long-that-it-scrolls.tar.gz",
    "wget-dots.pipe": "wget $URL/3000000/file.bin",
    "wget-dots-mega.pipe": "wget --progress=dot:mega $URL/9000000/file.bin",
    "wget-bar-force.pipe": "wget --progress=bar:force $URL/3000000/file.bin",
    "wget-bar-quiet.tty": "wget -q --show-progress $URL/3000000/file.bin",
    "wget-bar-no-length.tty": "wget $URL/-3000000/file.bin",
    "wget-dots-no-length.pipe": "wget $URL/-3000000/file.bin",
    "pip-download.tty": f"{PIP} download -d out --index-url $URL/simple alpha beta gamma",
    "pip-download.pipe": f"{PIP} download -d out --index-url $URL/simple alpha beta gamma",
    "pip-download-raw.pipe": f"{PIP} download --progress-bar raw -d out --index-url $URL/simple alpha beta gamma",
    "pip-install.tty": f"{PIP} install --target out --index-url $URL/simple alpha beta gamma",
    "dd-status.tty": "dd if=/dev/urandom of=/dev/null bs=1M count=1500 status=progress",
    "dd-status.pipe": "dd if=/dev/urandom of=/dev/null bs=1M count=1500 status=progress",
    "pv-bar.tty": "head -c 20000000 /dev/zero | pv -s 20000000 -L 6M > /dev/null",
    "pv-bar-force.pipe": "head -c 20000000 /dev/zero | pv -f -N copy -s 20000000 -L 6M > /dev/null",
    "pv-numeric.pipe": "head -c 20000000 /dev/zero | pv -n -i 0.3 -s 20000000 -L 6M > /dev/null",
    "pv-no-size.tty": "head -c 20000000 /dev/zero | pv -L 6M > /dev/null",
    "pv-lines.tty": "seq 400 | pv -l -s 400 -L 120 -i 0.5 > /dev/null",
    "tqdm-plain.tty": f"{PYTHON} bars.py plain",
    "tqdm-plain.pipe": f"{PYTHON} bars.py plain",
    "tqdm-no-total.tty": f"{PYTHON} bars.py no_total",
    "tqdm-bytes.tty": f"{PYTHON} bars.py in_bytes",
    "tqdm-bytes-no-total.tty": f"{PYTHON} bars.py in_bytes_no_total",
    "tqdm-nested.tty": f"{PYTHON} bars.py nested",
    "tqdm-nested-left.pipe": f"{PYTHON} bars.py nested_left",
    "tqdm-postfix-ascii.tty": f"{PYTHON} bars.py postfix",
    "tqdm-one-after-another.tty": f"{PYTHON} bars.py one_after_another",
    "tqdm-with-messages.tty": f"{PYTHON} bars.py messages",
    "tqdm-colour.tty": f"{PYTHON} bars.py colour",
    "percent-cmake.tty": "cmake -S c -B make -G 'Unix Makefiles' && make -C make -j2",
    "percent-cmake.pipe": "cmake -S c -B make -G 'Unix Makefiles' && make -C make -j2",
    "percent-pytest.tty": f"{PYTHON} -m pytest -p no:randomly -o addopts= suite",
    "percent-pytest-verbose.pipe": f"{PYTHON} -m pytest -v -o addopts= suite",
    "percent-git-clone.tty": "git clone --progress file://$PWD/repo out",
    "count-ninja.tty": "cmake -S c -B ninja -G Ninja && ninja -C ninja",
    "count-ninja.pipe": "cmake -S c -B ninja -G Ninja && ninja -C ninja -v",
    "count-ctest.pipe": "(cmake -S c -B make -G 'Unix Makefiles' && make -C make) > /dev/null && cd make && ctest",
    "none-ls.tty": "ls -l --color=always /usr/bin | head -60",
    "none-df.pipe": "df -h --output=source,size,used,avail,pcent,target / /dev /dev/shm /proc/acpi; df -i /",
    "none-git-log.tty": "git -C repo --no-pager log --stat --summary",
    "none-git-diff.pipe": "git -C repo log -p --summary -n 8",
    "none-apt.pipe": "apt-get install -y --reinstall hostname",
    "none-traceback.pipe": f"{PYTHON} -c 'import json; json.loads(\"[3/4, 50%\")'",
    "none-top.pipe": "sleep 3 & top -b -n 3 -d 0.5 -p $!; wait",
    "none-top.tty": "sleep 3 & timeout --foreground 2 top -d 0.5 -p $!; wait",
    "none-zip.pipe": "zip -r out.zip five suite c",
    "none-vmstat.pipe": "vmstat 1 4",
    "none-man.pipe": "MAN_KEEP_FORMATTING=1 man rsync | head -150",
}

BARS = """
import sys, time
from tqdm import tqdm, trange
def plain():
    for _ in tqdm(range(100)): time.sleep(.02)
def no_total():
    for _ in tqdm(iter(range(100))): time.sleep(.02)
def in_bytes():
    with tqdm(total=3400000, unit="B", unit_scale=True, unit_divisor=1024, desc="model.bin") as bar:
        for _ in range(34): time.sleep(.05); bar.update(100000)
def in_bytes_no_total():
    with tqdm(unit="B", unit_scale=True) as bar:
        for _ in range(34): time.sleep(.05); bar.update(100000)
def nested():
    for _ in trange(3, desc="epochs"):
        for _ in trange(5, desc="batches", leave=False): time.sleep(.15)
def nested_left():
    for _ in trange(3):
        for _ in trange(5): time.sleep(.15)
def postfix():
    bar = tqdm(range(20), ascii=True, desc="train")
    for i in bar: bar.set_postfix(loss=1/(i+1), acc="97%"); time.sleep(.1)
def one_after_another():
    for name in ("first", "second"):
        for _ in tqdm(range(10), desc=name): time.sleep(.1)
def messages():
    for i in tqdm(range(10)): time.sleep(.12); tqdm.write(f"looked at {i}/10: 50% of it was blank")
def colour():
    for _ in tqdm(range(4), unit="file", colour="green"): time.sleep(.8)
globals()[sys.argv[1]]()
"""


class Files(BaseHTTPRequestHandler):
    """`/SIZE/name` gives SIZE bytes at 1 MB/s (a negative size: without a length); `/simple/` is a package index."""

    def do_GET(self) -> None:
        head, name = [part for part in self.path.split("/") if part]
        if head == "simple":
            link = f"{name}-1.0-py3-none-any.whl"
            self.answer(f'<a href="/wheels/{link}">{link}</a>'.encode())
        elif head == "wheels":
            self.answer((Path(self.server.folder) / name).read_bytes())  # type: ignore[attr-defined]
        else:
            self.answer(bytes(abs(int(head))), with_length=int(head) >= 0)

    def do_PUT(self) -> None:
        for _ in range(int(self.headers["Content-Length"]) // 10000):
            self.rfile.read(10000)
        self.answer(b"")

    def answer(self, body: bytes, with_length: bool = True) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        if with_length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        for start in range(0, len(body), 30000):
            self.wfile.write(body[start : start + 30000])
            time.sleep(0.03)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    server.folder = str(folder)  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def prepare(folder: Path) -> None:
    """The files that the commands work on."""
    for i in range(5):
        write(folder / f"five/{i + 1}.bin", os.urandom(3_000_000))
    for i in range(3000):
        write(folder / f"tree/{i % 60}/{i % 7}/{i}.txt", os.urandom(2000))
    for name, size in (("alpha", 3_000_000), ("beta", 1_200_000), ("gamma", 5_000)):
        make_wheel(folder / f"{name}-1.0-py3-none-any.whl", name, size)
    write(folder / "bars.py", BARS.encode())
    for i in range(24):
        write(folder / f"c/{i}.c", f"int f{i}(int x) {{ return x + {i}; }}\n".encode())
        write(
            folder / f"suite/test_{i}.py",
            b"import pytest\n@pytest.mark.parametrize('n', range(20))\ndef test_it(n): pass\n",
        )
    tests = "".join(f"add_test(NAME t{i} COMMAND true)\n" for i in range(12))
    cmake = "cmake_minimum_required(VERSION 3.10)\nproject(demo C)\nenable_testing()\n"
    cmake += f"file(GLOB S *.c)\nadd_library(demo ${{S}})\n{tests}"
    write(folder / "c/CMakeLists.txt", cmake.encode())
    movie = "ffmpeg -v error -f lavfi -i testsrc=duration={}:size=320x240:rate=10 -preset ultrafast {}"
    for seconds, name in ((600, "movie.mkv"), (30, "short.mkv")):
        subprocess.run(movie.format(seconds, name).split(), cwd=folder, check=True)
    make_repository(folder / "repo")


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def make_wheel(path: Path, name: str, size: int) -> None:
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}/__init__.py", "")
        wheel.writestr(f"{name}/data.bin", os.urandom(size))
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "".join(f"{n},,\n" for n in (*wheel.namelist(), f"{info}/RECORD")))


def make_repository(folder: Path) -> None:
    """A repository whose log speaks of percentages and of patches n/m, and renames files by parts."""

    def git(*arguments: str) -> None:
        who = ["-c", "user.name=A U Thor", "-c", "user.email=author@example.org"]
        subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)

    folder.mkdir()
    git("init", "-q")
    for i in range(1, 13):
        (folder / f"{i}.txt").write_bytes("".join(f"{i * n}\n" for n in range(400)).encode())
        write(folder / f"blob/{i}.bin", os.urandom(400_000))
        if i > 1:
            old = (folder / f"{i - 1}.txt").read_text().splitlines(keepends=True)
            (folder / f"{i - 1}.txt").unlink()
            (folder / f"moved-{i - 1}.txt").write_text("".join(old[i * 12 :]))
        git("add", "-A")
        git(
            "commit",
            "-q",
            "-m",
            f"[{i}/12] Make it {i * 8}% faster\n\nCPU use is {100 - i * 8}%; see 2024/11/{i:02} and and/or {i}/12.",
        )


def record(command: str, folder: Path, url: str, through_tty: bool) -> bytes:
    keep = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    env = keep | {"LC_ALL": "C.UTF-8", "TERM": "xterm-256color", "URL": url, "MANWIDTH": "78"}
    env["FAST"] = "-c:v libx264 -preset ultrafast"
    argv = ["sh", "-c", command]
    if through_tty:
        pid, source = pty.fork()
        if pid == 0:
            fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
            os.chdir(folder)
            os.execvpe(argv[0], argv, env)
        output = drain(source)
        os.waitpid(pid, 0)
    else:
        source, sink = os.pipe()
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, cwd=folder, env=env):
            os.close(sink)
            output = drain(source)
    os.close(source)
    return output


def drain(source: int) -> bytes:
    output = bytearray()
    while True:
        try:
            chunk = os.read(source, 65536)
        except OSError:  # Linux: the other side of the terminal is closed
            chunk = b""
        if not chunk:
            return bytes(output)
        output += chunk


def trimmed(output: bytes) -> bytes:
    lines = re.findall(rb"[^\r\n]*[\r\n]+|[^\r\n]+\Z", output)
    if len(output) <= 3 * KEPT_PER_PART:
        return output
    middle = len(lines) // 2
    first = fitting(lines[:middle])
    last = fitting(lines[: len(first) - 1 : -1])[::-1]
    between = fitting(lines[max(middle, len(first)) : len(lines) - len(last)])
    return b"".join((*first, *between, *last))


def fitting(lines: list[bytes]) -> list[bytes]:
    size = 0
    kept = []
    for line in lines:
        size += len(line)
        if size > KEPT_PER_PART:
            break
        kept.append(line)
    return kept


def main(names: list[str]) -> None:
    RECORDINGS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, serving(Path(temporary)) as url:
        folder = Path(temporary)
        prepare(folder)
        prepared = {path.name for path in folder.iterdir()}
        for name in names or COMMANDS:
            output = record(COMMANDS[name], folder, url, name.endswith(".tty"))
            for seen, written in PLACES.items() | {(str(folder), "/home/user/work"), (url, "http://localhost:8000")}:
                output = output.replace(seen.encode(), written.encode())
            (RECORDINGS / name).write_bytes(trimmed(output))
            sys.stderr.write(f"{name}: {len(output)} bytes\n")
            remove([path for path in folder.iterdir() if path.name not in prepared])


def remove(leftovers: list[Path]) -> None:
    for path in leftovers:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


if __name__ == "__main__":
    main(sys.argv[1:])
