"""A resident prover: keys open all day, jobs on disk until they are proven, HTTP in front.

    from zkgpu.service import Plan, Service, Settings, application, key_of, places_of

    served = {"transfer": key_of("transfer=transfer.zkey,transfer.wasm")}
    plan = Plan.of(["cpu"], workers=None, threads=8, memory=8 << 30)
    app = application(Service(Settings(served, Path("spool")), lambda: places_of(served.values(), plan)))

An ASGI application for any server; `zkgpu serve` runs it by uvicorn. Needs the extra `serve`.
"""

from typing import TYPE_CHECKING

from zkgpu.faces import names_of

if TYPE_CHECKING:
    from zkgpu.service.app import application
    from zkgpu.service.processes import Plan, places_of
    from zkgpu.service.served import Served, key_of, model_of
    from zkgpu.service.service import Service
    from zkgpu.service.settings import Settings

__all__ = ["Plan", "Served", "Service", "Settings", "application", "key_of", "model_of", "places_of"]

_HOMES = {
    "Plan": "zkgpu.service.processes",
    "Served": "zkgpu.service.served",
    "Service": "zkgpu.service.service",
    "Settings": "zkgpu.service.settings",
    "application": "zkgpu.service.app",
    "key_of": "zkgpu.service.served",
    "model_of": "zkgpu.service.served",
    "places_of": "zkgpu.service.processes",
}
__getattr__ = names_of(__name__, _HOMES)
