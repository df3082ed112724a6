"""nginx with Debian's Lua module: HS256 and a count in a shared dictionary.

Debian's packages are unpacked into the cache instead of installed, because their LuaJIT would take
the place of wrk's.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.process import child, first_version, free_port
from bench.rivals import LIMIT, SECRET, Rival, Server, lacks
from bench.rivals.cache import PROGRAMS, install, is_complete, place
from bench.rivals.nginx import configuration, forwarding

_PACKAGES: Final = (
    "libnginx-mod-http-lua",
    "libnginx-mod-http-ndk",
    "libluajit2-5.1-2",
    "libluajit2-5.1-common",
    "lua-cjson",
    "lua-resty-core",
    "lua-resty-lrucache",
    "libpcre3",
)
_MODULES: Final = ("ndk_http_module", "ngx_http_lua_module")
_HTTP: Final = """
  lua_package_path "{programs}/?.lua;{share}/lua/5.1/?.lua;{share}/lua/?.lua;;";
  lua_package_cpath "{libraries}/lua/5.1/?.so;;";
  lua_shared_dict counts 10m;
  init_by_lua_block {{ check = require "check" }}
"""
_ACCESS: Final = 'access_by_lua_block {{ check.access("{secret}", {limit}) }}'


def _home() -> Path:
    return place("nginx-lua", "check.lua")


def _libraries() -> Path:
    return next(iter(_home().glob("usr/lib/*-linux-gnu*")), _home())


def _absent() -> str:
    return lacks("nginx") or ("" if is_complete(_home()) else "not installed")


def _install() -> str:
    missing = lacks("apt-get") or lacks("dpkg-deb")
    if missing:
        return missing
    unpack = 'for file in *.deb; do dpkg-deb -x "$file" . || exit 1; done'
    steps = (("apt-get", "download", "--quiet", *_PACKAGES), ("sh", "-c", unpack))
    return install(_home(), *steps)


@contextmanager
def _run(folder: Path, upstream: int, checks: bool) -> Iterator[Server]:
    port = free_port()
    modules = _home() / "usr/lib/nginx/modules"
    http = _HTTP.format(programs=PROGRAMS, share=_home() / "usr/share", libraries=_libraries())
    before, forward = forwarding(upstream, _ACCESS.format(secret=SECRET.decode(), limit=LIMIT))
    loading = " ".join(f"load_module {modules / name}.so;" for name in _MODULES)
    file = folder / f"nginx-{port}.conf"
    file.write_text(configuration(folder, port, http + before, forward, loading))
    found = ":".join(str(path) for path in (_libraries(), *_home().glob("lib/*-linux-gnu*")))
    environment = {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": found}
    with child(["nginx", "-c", str(file)], port, environment) as process:
        yield Server(process.pid, port)


NGINX_LUA: Final = Rival(
    "nginx + Lua",
    "HS256, shared dictionary",
    version=lambda: first_version("nginx", "-v"),
    absent=_absent,
    run=_run,
    is_plain_too=False,
    install=_install,
)
