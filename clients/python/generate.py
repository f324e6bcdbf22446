"""Writes the generated code from ../../proto into the package.

    python generate.py            writes it
    python generate.py --check    fails when what is committed is not what would be written

Needs `pip install -e '.[generate]'`. The versions are pinned there: the code then works with every later runtime that
protobuf and gRPC support for it.
"""

import argparse
import os
import re
import sys
import sysconfig
import tempfile
from importlib import resources
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROTO = HERE.parent.parent / "proto"
INTO = HERE / "src" / "bucket_brigade_client" / "v1"
PACKAGE = "bucket_brigade_client.v1"
INIT = '"""Generated from the contract, `brigade.v1`, by generate.py."""\n'


def generate() -> dict[str, str]:
    """The generated files by name."""
    from grpc_tools import protoc

    sources = sorted(PROTO.glob("brigade/v1/*.proto"))
    if not sources:
        sys.exit(f"there is no contract under {PROTO}")
    # The plugin for the types is beside this Python.
    scripts = sysconfig.get_path("scripts")
    os.environ["PATH"] = os.pathsep.join([scripts, os.environ.get("PATH", "")])
    with tempfile.TemporaryDirectory() as out:
        kinds = ["python", "grpc_python", "mypy", "mypy_grpc"]
        arguments = [
            "protoc",
            f"-I{PROTO}",
            f"-I{resources.files('grpc_tools') / '_proto'}",
            *(f"--{kind}_out=quiet:{out}" if "mypy" in kind else f"--{kind}_out={out}" for kind in kinds),
            *(str(source) for source in sources),
        ]
        if protoc.main(arguments) != 0:
            sys.exit("protoc failed; its words are above")
        files = {path.name: adapt(path) for path in sorted(Path(out).glob("brigade/v1/*"))}
    # A file without a service has no service's code.
    kept = {name: text for name, text in files.items() if "_grpc" not in name or "Stub" in text}
    return {"__init__.py": INIT, **kept}


def adapt(path: Path) -> str:
    """The file with its imports from our package: `brigade` alone could be anybody's."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".pyi":
        return re.sub(r"\bbrigade\.v1\.(?=\w+_pb2\b)", f"{PACKAGE}.", text)
    text = re.sub(r"^from brigade\.v1 import", f"from {PACKAGE} import", text, flags=re.MULTILINE)
    # What the messages call their module, as pickle looks for it.
    return re.sub(r"'brigade\.v1\.(?=\w+_pb2', _globals\))", f"'{PACKAGE}.", text)


def main() -> None:
    """Writes, or checks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="change nothing, and fail on a difference")
    check = parser.parse_args().check
    wanted = generate()
    found = {path.name: path.read_text(encoding="utf-8") for path in INTO.glob("*.py*") if path.is_file()}
    differing = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
    if check:
        if differing:
            sys.exit(f"not what proto/ says: {', '.join(differing)}; run python generate.py")
        print(f"{len(wanted)} generated files are what proto/ says")
        return
    INTO.mkdir(parents=True, exist_ok=True)
    for name in differing:
        if name in wanted:
            (INTO / name).write_text(wanted[name], encoding="utf-8")
        else:
            (INTO / name).unlink()
        print(name)


if __name__ == "__main__":
    main()
