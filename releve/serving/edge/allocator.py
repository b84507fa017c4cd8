"""Memory that large requests leave behind."""

import ctypes

M_ARENA_MAX = -8  # of glibc's malloc.h


def share_one_arena() -> None:
    """Have all threads allocate from one arena, before they start: each keeps to itself what its own once took.

    A worker is one core, where they would not wait for each other. Other C libraries have no arenas to limit.
    """
    library = ctypes.CDLL(None)
    if hasattr(library, "gnu_get_libc_version"):
        library.mallopt(M_ARENA_MAX, 1)
