"""The speed of a machine that is not quiet: slow for a while, then fast for a while."""

import math
import random

# A stretch of the same weather lasts about so many seconds.
CORRELATION_S = 5.0
# Share of the variance that is new in each second.
SUDDEN = 0.2


class Weather:
    """deviation: standard deviation of the speed, of mean 1."""

    def __init__(self, deviation: float, random_: random.Random) -> None:
        self.deviation = deviation
        self._random = random_
        self._slow = random_.gauss(0.0, 1.0)

    def second(self) -> float:
        """The speed in the next second."""
        stays = math.exp(-1 / CORRELATION_S)
        self._slow = stays * self._slow + math.sqrt(1 - stays**2) * self._random.gauss(0.0, 1.0)
        sudden = self._random.gauss(0.0, 1.0)
        return max(0.5, 1 + self.deviation * (math.sqrt(1 - SUDDEN) * self._slow + math.sqrt(SUDDEN) * sudden))
