"""serve: a resident prover."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zkgpu.cli.declaring import all_of, command, option
from zkgpu.cli.limits import size
from zkgpu.cli.session import Session
from zkgpu.cli.types import FILE, FOLDER, IntRange, Refused
from zkgpu.errors import ResourceError
from zkgpu.extras import hint

if TYPE_CHECKING:
    from zkgpu.service.places import Place
    from zkgpu.service.served import Served

_DURATION = re.compile(r"(\d{1,9})([smhd]?)", re.ASCII)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_NEEDED = ("starlette", "uvicorn", "prometheus_client", "msgspec")
_HANDS_ON_SOCKETS = os.name == "posix"  # subprocess' pass_fds
_ASKS = "import zkgpu.backend as b; print(b.open_backend('auto').name.partition(' ')[0])"


def _duration(text: str) -> int:
    """Seconds: 30, 30s, 15m, 12h, 7d. Raises Refused."""
    found = _DURATION.fullmatch(text)
    if not found:
        raise Refused("give a time, such as 30s, 15m, 12h or 7d")
    return int(found[1]) * _SECONDS[found[2]]


device_options = all_of(  # where a service or a batch proves
    option("--device", "devices", multiple=True, metavar="cpu|cuda:N", help="Where to prove; again for more."),
    option("--workers", kind=IntRange(1, 1024), help="Processes that prove on the CPU."),
    option("--memory", kind=size, metavar="SIZE", help="For open keys; half of what there is by default."),
    option("--cluster", metavar="ADDRESS|local", help="A Ray cluster, whose nodes prove."),
)


@command("serve")
@option("--key", "keys", multiple=True, metavar="NAME=KEY.zkey[,CIRCUIT.wasm][,CIRCUIT.r1cs]", help="A key.")
@option("--model", "models", multiple=True, metavar="NAME=BUILD", help="A model's build folder.")
@option("--listen", default="127.0.0.1:8545", show_default=True, metavar="HOST:PORT")
@option("--token-file", kind=FILE, help="What clients must show; needed where strangers reach the service.")
@option("--spool", kind=FOLDER, help="The folder of jobs.")
@device_options
@option("--most-waiting", kind=IntRange(1, 1_000_000), default=1000, show_default=True, help="Jobs in the queue.")
@option("--most-body", kind=size, default="256M", show_default=True, metavar="SIZE", help="Bytes of a request.")
@option("--keep", kind=_duration, default="1d", show_default=True, metavar="TIME", help="How long results are kept.")
@option(
    "--grace", kind=_duration, default="30s", show_default=True, metavar="TIME", help="For proofs under way at the end."
)
def serve_command(
    session: Session,
    /,
    keys: tuple[str, ...],
    models: tuple[str, ...],
    listen: str,
    token_file: str | None,
    spool: str | None,
    **options: Any,
) -> None:
    """Keep keys open and prove what clients send, until a signal comes: docs/operate.md."""
    _require_packages(_NEEDED, "serve")
    from zkgpu.service.served import by_name, key_of, model_of
    from zkgpu.service.service import Service
    from zkgpu.service.serving import bound, run
    from zkgpu.service.settings import Settings, address_of, require_safe, token_in

    host, port = address_of(listen)
    token = token_in(token_file) if token_file else None
    require_safe(host, token)
    served = by_name([*map(key_of, keys), *map(model_of, models)])
    limits = {name: options[name] for name in ("most_waiting", "most_body", "keep", "grace")}
    settings = Settings(served, Path(spool) if spool else _own_spool(), token, **limits)
    with bound(host, port) as listening:
        service = Service(settings, places_for(session, served, options))
        _say_where(session, listening.getsockname(), list(served))
        run(service, listening)
    if service.failure is not None:
        raise service.failure


def places_for(session: Session, served: dict[str, Served], options: dict[str, Any]) -> Callable[[], list[Place]]:
    """What starts the places that the options ask for. Raises ResourceError where no socket can be handed on."""
    if not _HANDS_ON_SOCKETS:
        raise ResourceError("serve and batch need Linux or macOS: this system hands no sockets to processes")
    from zkgpu.backend.beside import available_threads
    from zkgpu.service.processes import Plan, places_of

    threads, memory = session.threads or available_threads(), options["memory"] or _half_of_memory()
    if options["cluster"]:
        _require_packages(("ray",), "cluster")
        from zkgpu.service.cluster import actors_of

        return lambda: actors_of(served.values(), options["cluster"], options["workers"], memory)
    devices = [_resolved(device) for device in options["devices"] or (session.device,)]
    plan = Plan.of(devices, options["workers"], threads, memory)
    return lambda: places_of(served.values(), plan)


def _resolved(device: str) -> str:
    """What "auto" is on this machine, found out by another process: this one wants no device."""
    import subprocess  # here, as `zkgpu zkml` has these options too

    if device != "auto" or importlib.util.find_spec("cupy") is None:
        return "cpu" if device == "auto" else device
    asked = subprocess.run([sys.executable, "-c", _ASKS], capture_output=True, text=True, check=False)  # noqa: S603
    return asked.stdout.strip() or "cpu"


def _half_of_memory() -> int:
    from zkgpu.provers.room import memory_of_this_process

    return (memory_of_this_process() or 4 << 30) // 2


def _own_spool() -> Path:
    import platformdirs

    return platformdirs.user_state_path("zkgpu") / "spool"


def _say_where(session: Session, address: tuple[Any, ...], names: list[str]) -> None:
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    url = f"http://{host}:{address[1]}"
    session.finish({"url": url, "keys": names}, f"{url}: serving {', '.join(names)}")


def _require_packages(needed: tuple[str, ...], extra: str) -> None:
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise ResourceError(f"this needs {', '.join(missing)}: {hint(extra)}")
