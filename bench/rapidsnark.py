"""rapidsnark's build for Android, as a program that benches run beside zkgpu's, on x86-64 Linux with gcc and nm.

    npm pack @iden3/react-native-rapidsnark && tar -xzf iden3-react-native-rapidsnark-*.tgz    # makes package/
    python bench/rapidsnark.py package FOLDER                                                  # prints the program

FOLDER gets the package's library; `libc.so`, which stands for Android's C library on top of glibc; and the program
`rapidsnark KEY.zkey WITNESS.wtns PROOF.json PUBLIC.json`. The library is under GPL-3: this repository never keeps it.

It is not the newest rapidsnark: the newest package, 0.0.1-alpha.3, is of 2024. Field products are the same assembly
(mulx, adcx, adox), but sums of points are older ones, and it is built without OpenMP: of five threads, four have a sum
each and one has all the rest, so that in the end the sum in G2 has one core and the other idles.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

PROGRAM = "rapidsnark for Android"  # what lines of results call it
HERE = Path(__file__).resolve().parent
SHIM, DRIVER = HERE / "rapidsnark_shim.c", HERE / "rapidsnark_driver.c"
LIBRARY = Path("android", "src", "jniLibs", "x86_64", "librapidsnark.so")
NAMES_OF_STUB = ("libc.so", "libm.so", "libdl.so")
FORWARD = ".globl glibc_{0}\nglibc_{0}: jmp *{0}@GOTPCREL(%rip)\n.symver glibc_{0}, {0}@LIBC\n"
NO_EXECUTABLE_STACK = '.section .note.GNU-stack, "", @progbits\n'


def build(package: Path, folder: Path) -> Path:
    """The program's path in `folder`. Exits with the compiler's words when it fails."""
    if not (package / LIBRARY).is_file():
        raise SystemExit(f"{package} has no {LIBRARY}")
    folder.mkdir(parents=True, exist_ok=True)
    library, program = folder / LIBRARY.name, folder / "rapidsnark"
    shutil.copyfile(package / LIBRARY, library)
    shutil.copyfile(package / "package.json", folder / "package.json")
    build_stub(undefined_symbols(library), folder)
    beside = ["-Wl,--disable-new-dtags", "-Wl,-rpath,$ORIGIN", "-Wl,--unresolved-symbols=ignore-in-shared-libs"]
    _run("gcc", "-O2", DRIVER, library, *beside, "-o", program)
    return program


def version_of(program: Path) -> str:
    """Name and version of the package that `build` made it of."""
    told = json.loads((program.parent / "package.json").read_text())
    return f"{told['name']} {told['version']}"


def build_stub(names: Sequence[str], folder: Path) -> Path:
    """The library with these symbols of Android's: a file of `folder` under each of NAMES_OF_STUB."""
    stub, *aliases = (folder / name for name in NAMES_OF_STUB)
    with TemporaryDirectory() as scratch:
        forwards, versions = Path(scratch, "forwards.s"), Path(scratch, "versions")
        forwards.write_text(_forwarding(names))
        versions.write_text("LIBC {};\n")
        options = [f"-Wl,-soname,{stub.name}", f"-Wl,--version-script={versions}", "-Wl,-z,defs"]
        _run("gcc", "-O2", "-shared", "-fPIC", SHIM, forwards, *options, "-o", stub)
    for alias in aliases:
        alias.unlink(missing_ok=True)
        alias.symlink_to(stub.name)
    return stub


def undefined_symbols(library: Path) -> list[str]:
    """Names that a library expects of others."""
    listed = _run("nm", "--dynamic", "--undefined-only", "--without-symbol-versions", library)
    return sorted({line.split()[-1] for line in listed.splitlines()})


def _forwarding(names: Sequence[str]) -> str:
    """Assembly: of each name that the shim does not define, a jump to glibc's function of that name."""
    own = set(re.findall(r"BIONIC\((\w+)\)", SHIM.read_text()))
    return "".join(FORWARD.format(name) for name in names if name not in own) + NO_EXECUTABLE_STACK


def _run(*command: object) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{command[0]}: {done.stderr}")
    return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path, help="the unpacked package")
    parser.add_argument("folder", type=Path, help="where the program is put")
    chosen = parser.parse_args()
    print(build(chosen.package, chosen.folder))


if __name__ == "__main__":
    main()
