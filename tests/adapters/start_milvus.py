"""Start a real Milvus on loopback ports; it ends with its standard input, and after SECONDS at the latest.

Run by the Python of an environment with the package `milvus`: start_milvus.py FOLDER PORT...
"""

import sys
import threading

from milvus import MilvusServer, MilvusServerConfig

SECONDS = 1800.0
PORTS = ("proxy_port", "root_coord_port", "query_coord_port", "query_node_port", "index_node_port", "data_coord_port",
         "data_node_port", "etcd_port", "proxy_internal_port")  # fmt: skip


def main() -> None:
    folder, web_port, *ports = sys.argv[1:]
    server = MilvusServer(MilvusServerConfig(), wait_for_started=True)
    server.set_base_dir(folder)
    server.config.template_text = server.config.template_text.replace("  ip: #", "  ip: 127.0.0.1 #")
    for name, port in zip(PORTS, ports, strict=True):
        server.config.set(name, int(port))
    server.config.set("authorization_enabled", True)
    server.webservice_port = int(web_port)
    server.start()
    print("started", flush=True)
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    ended.wait(SECONDS)
    server.stop()


if __name__ == "__main__":
    main()
