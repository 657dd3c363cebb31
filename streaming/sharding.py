"""Which shard takes which site: by the site's name, so that every server and every sender can tell without asking."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from industrial_brain.domain.errors import InputError


@dataclass(frozen=True, slots=True)
class Shard:
    """Shard `number` of `count`, from 0. All devices of a site are of one shard.

    >>> Shard.read("1/2")
    Shard(number=1, count=2)
    """

    number: int = 0
    count: int = 1

    @property
    def name(self) -> str:
        """What its ingest sequence is called, and its folders."""
        return f"shard-{self.number}"

    @classmethod
    def read(cls, text: str) -> Shard:
        """A shard as settings name it: `0/1`, `1/4`. Raises InputError."""
        number, _, count = text.partition("/")
        if not (number.isdecimal() and count.isdecimal() and int(number) < int(count)):
            raise InputError(f"'{text}' names no shard.", "Write NUMBER/COUNT into BRAIN_SHARD, from 0/2 and 1/2 on.")
        return cls(int(number), int(count))

    def of(self, site: str) -> int:
        """The number of the shard that takes a site's readings."""
        return int.from_bytes(hashlib.blake2b(site.encode(), digest_size=8).digest(), "big") % self.count

    def require(self, site: str) -> None:
        """Raises InputError for a site of another shard."""
        if self.of(site) != self.number:
            raise InputError(
                f"The site '{site}' is of shard {self.of(site)} of {self.count}; this server takes shard {self.number}.",
                f"Send its readings to the server with BRAIN_SHARD={self.of(site)}/{self.count}.",
            )
