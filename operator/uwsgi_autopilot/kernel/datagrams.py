"""Many datagrams of a socket for one call: recvmmsg(2), which Python does not have.

Reading each datagram by itself costs 40 to 50 microseconds on a machine that works, because each wakes a thread and its
Python; nearly all of that is Python on cold caches. recvmmsg sleeps inside the kernel until a whole batch has arrived.
What has arrived before that already lies in our memory, and `take` gives it: the kernel writes a datagram's bytes, then
its length. So nothing is late, and the socket's own queue (net.unix.max_dgram_qlen, 10 by default) empties at once.
"""

import ctypes
import errno
import socket
import threading

BATCH = 64
# Of each datagram; what is longer is cut.
DATAGRAM_BYTES = 512

# The second is ERESTARTSYS, the kernel's own: recvmmsg keeps the error behind a batch for the next call as it is.
_INTERRUPTED = (errno.EINTR, 512)
# The length of what has not arrived: a datagram may be empty, and those behind it must not wait for a full batch.
_NOTHING = 0xFFFFFFFF
_libc = ctypes.CDLL(None, use_errno=True)


class _Vector(ctypes.Structure):
    """struct iovec."""

    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


class _Head(ctypes.Structure):
    """struct msghdr."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_size", ctypes.c_uint),
        ("vectors", ctypes.POINTER(_Vector)),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_size", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Message(ctypes.Structure):
    """struct mmsghdr. length: of what was received."""

    _fields_ = (("head", _Head), ("length", ctypes.c_uint))


class Datagrams:
    """`receive` in a thread of its own, over and over; `take` from any thread. batched: False where a sandbox refuses
    recvmmsg: then each datagram is read by itself."""

    def __init__(self, receiver: socket.socket) -> None:
        """receiver: blocking, without a timeout."""
        self._socket = receiver
        self.batched = hasattr(_libc, "recvmmsg")
        self._lock = threading.Lock()
        self._taken = 0  # of the batch that arrives
        self._bytes = ctypes.create_string_buffer(BATCH * DATAGRAM_BYTES)
        self._begin = ctypes.addressof(self._bytes)
        self._vectors = (_Vector * BATCH)()
        self._messages = (_Message * BATCH)()
        for index, (message, vector) in enumerate(zip(self._messages, self._vectors, strict=True)):
            vector.base, vector.size = self._begin + index * DATAGRAM_BYTES, DATAGRAM_BYTES
            message.head.vectors, message.head.vector_count = ctypes.pointer(vector), 1
            message.length = _NOTHING

    def receive(self) -> list[bytes]:
        """Wait until a batch is full; of it what `take` has not given yet. Fewer, or none, after a signal.

        Raises OSError when the socket cannot be read.
        """
        if not self.batched:
            return [self._socket.recv(DATAGRAM_BYTES)]
        count = _libc.recvmmsg(self._socket.fileno(), self._messages, BATCH, 0, None)
        if count < 0:
            self.batched = ctypes.get_errno() in _INTERRUPTED
            return []
        with self._lock:
            found = [self._at(index) for index in range(self._taken, count)]
            for message in self._messages:
                message.length = _NOTHING
            self._taken = 0
        return found

    def take(self) -> list[bytes]:
        """What has arrived of the batch since the last call. Waits for nothing."""
        with self._lock:
            begin = self._taken
            while self._taken < BATCH and self._messages[self._taken].length != _NOTHING:
                self._taken += 1
            return [self._at(index) for index in range(begin, self._taken)]

    def _at(self, index: int) -> bytes:
        return ctypes.string_at(self._begin + index * DATAGRAM_BYTES, self._messages[index].length)
