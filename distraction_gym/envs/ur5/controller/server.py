"""The controller's sockets and its clock: one thread, one selector, absolute deadlines."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable

from distraction_gym.envs.ur5.controller import dashboard, rtde, script
from distraction_gym.envs.ur5.controller.faults import FaultSession, Network
from distraction_gym.envs.ur5.controller.machine import Machine
from distraction_gym.envs.ur5.controller.session import Session

_MOST_CYCLES = 25  # that are made up for at once; the clock loses the rest
_PATIENCE = 64 * 1024  # bytes that a client may leave unread before it is hung up on
_SHORTEST_WAIT = 0.0005  # seconds, so that a fast clock does its cycles in batches


class Connection:
    """A client's socket and the session behind it."""

    def __init__(self, sock: socket.socket, session: Session) -> None:
        self.socket, self.session = sock, session
        self.unsent = session.greeting

    def read(self) -> bool:
        """Take what has arrived; return False when the connection is at its end."""
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if not data:
            return False
        self.unsent += self.session.feed(data)
        return self.send() and not self.session.finished

    def send(self) -> bool:
        """Send what can be sent; return False when the connection is at its end."""
        try:
            if self.unsent:
                self.unsent = self.unsent[self.socket.send(self.unsent) :]
        except BlockingIOError:
            pass
        except OSError:
            return False
        return len(self.unsent) < _PATIENCE


class Server:
    """Serves a machine on one address, and lets its time pass.

    Args:
        machine: The controller.
        host: The address, within 127.0.0.0/8: this must not be reachable from elsewhere.
        faults_port: Of the side channel; None: none.
        speed_factor: Seconds of the controller in one second.

    Raises:
        ValueError: for another address.
        OSError: where a port is taken.
    """

    def __init__(
        self,
        machine: Machine,
        host: str,
        faults_port: int | None = None,
        speed_factor: float = 1.0,
    ) -> None:
        check_loopback(host)
        if not speed_factor > 0:
            raise ValueError(f"expected a speed factor above 0, got {speed_factor}")
        self.machine, self.network = machine, Network(machine)
        self._cycle = machine.dt / speed_factor
        # Not epoll, which rounds waits up to whole milliseconds.
        self._clients, self._side = selectors.SelectSelector(), selectors.SelectSelector()
        self._connections: list[Connection] = []
        for port, session in (
            (rtde.PORT, rtde.RtdeSession),
            (dashboard.PORT, dashboard.DashboardSession),
            (script.PORT, script.ScriptSession),
        ):
            self._listen(self._clients, host, port, session)
        if faults_port is not None:
            self._listen(
                self._side, host, faults_port, lambda machine: FaultSession(machine, self.network)
            )

    def run(self, goes_on: Callable[[], bool]) -> None:
        """Serve as long as `goes_on`, which is asked in every round."""
        due = time.monotonic()
        while goes_on():
            now = time.monotonic()
            cycles = 0
            while due <= now and cycles < _MOST_CYCLES:
                self.machine.cycle()
                self._publish()
                due += self._cycle
                cycles += 1
            if due <= now:  # this machine was busy: time stood still, as in a debugger
                lost = int((now - due) / self._cycle) + 1
                self.machine.counts["cycles_lost"] += lost
                due += lost * self._cycle
            self._serve(max(due - time.monotonic(), _SHORTEST_WAIT))

    def close(self) -> None:
        """Close every socket."""
        for selector in (self._clients, self._side):
            for key in list(selector.get_map().values()):
                key.fileobj.close()  # type: ignore[union-attr]
            selector.close()

    def _listen(
        self,
        selector: selectors.BaseSelector,
        host: str,
        port: int,
        session: Callable[[Machine], Session],
    ) -> None:
        listener = socket.create_server((host, port))
        listener.setblocking(False)

        def accept() -> None:
            sock, _ = listener.accept()
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(sock, session(self.machine))
            self._connections.append(connection)
            selector.register(sock, selectors.EVENT_READ, lambda: self._read(selector, connection))
            connection.send()

        selector.register(listener, selectors.EVENT_READ, accept)

    def _serve(self, seconds: float) -> None:
        """Wait for the next cycle, and answer who asks meanwhile."""
        if self.network.close_sockets:
            self.network.close_sockets = False
            self._hang_up_rtde()
        if self.network.silent:
            self._select((self._side,), seconds)
        else:
            self._select((self._clients, self._side), seconds)

    def _select(self, chosen: tuple[selectors.BaseSelector, ...], seconds: float) -> None:
        for number, selector in enumerate(chosen):
            for key, _ in selector.select(seconds if number == 0 else 0):
                key.data()

    def _read(self, selector: selectors.BaseSelector, connection: Connection) -> None:
        if not connection.read():
            self._drop(selector, connection)

    def _publish(self) -> None:
        cycle = round(self.machine.time / self.machine.dt)
        for connection in list(self._connections):
            data = connection.session.stream(cycle)
            if not data or self.network.silent or self.network.loses():
                continue
            connection.unsent += data
            if not connection.send():
                self._drop(self._clients, connection)

    def _hang_up_rtde(self) -> None:
        for connection in list(self._connections):
            if isinstance(connection.session, rtde.RtdeSession):
                self._drop(self._clients, connection)

    def _drop(self, selector: selectors.BaseSelector, connection: Connection) -> None:
        selector.unregister(connection.socket)
        connection.socket.close()
        self._connections.remove(connection)
        connection.session.closed()


def check_loopback(host: str) -> None:
    """Refuse an address that others could reach.

    Raises:
        ValueError: for one outside 127.0.0.0/8.
    """
    parts = host.split(".")
    numbers = [int(part) for part in parts if part.isdigit() and int(part) < 256]
    if len(parts) != 4 or len(numbers) != 4 or numbers[0] != 127:
        raise ValueError(
            f"the simulated controller serves loopback addresses only (127.0.0.2, say), not {host}"
        )
