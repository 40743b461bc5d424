"""A crowd of browsers before one run, as a process of its own: HOST PORT RUN_ID COUNT, until its input ends.

Real browsers run on other machines. So these take only what processors the server leaves: they are as nice as can be.
"""

import http.client
import os
import sys
import threading


def main() -> None:
    """Say `ready` when all listen."""
    host, port, run_id, count = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    os.nice(19)
    ready = threading.Barrier(count + 1)
    for _ in range(count):
        threading.Thread(target=watch, args=((host, port), run_id, ready), daemon=True).start()
    ready.wait(60)
    print("ready", flush=True)
    sys.stdin.read()


def watch(where: tuple[str, int], run_id: str, ready: threading.Barrier) -> None:
    """As a browser does: listen, and fetch what changed, over two connections that are kept."""
    listening, fetching = (http.client.HTTPConnection(*where, timeout=60) for _ in range(2))
    listening.request("GET", f"/-/live?workflow_id={run_id}")
    stream = listening.getresponse()
    ready.wait(60)
    while line := stream.readline():
        if line.startswith(b"event: changed"):
            fetching.request("GET", f"/-/workflows/{run_id}", headers={"Accept": "text/html"})
            answer = fetching.getresponse()
            answer.read()
            assert answer.status == 200


if __name__ == "__main__":
    main()
