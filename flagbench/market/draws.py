"""Random numbers that are the same on every machine and under every version of numpy.

numpy promises that a bit generator's raw numbers never change; of its distributions it promises nothing.
So only raw numbers are taken from it, and everything else is computed from them here.
"""

import hashlib
import math
from functools import cache
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from flagbench.market.price_file import FloatArray

STANDARD_NORMAL = NormalDist()

# Where a normal is cut before it becomes a fat-tailed number: one in two million is. With five degrees of
# freedom the number then stays within 25 standard deviations.
CUT = 5.0
STEPS_PER_UNIT = 256


def stream(seed: int, *purpose: str) -> np.random.PCG64:
    """A stream of its own for a seed and a purpose: equal for equal arguments, else independent."""
    name = "/".join((str(seed), *purpose))
    return np.random.PCG64(int.from_bytes(hashlib.sha256(name.encode()).digest()))


def uniforms(source: np.random.PCG64, *shape: int) -> FloatArray:
    """Uniform numbers above 0 and below 1, in steps of 2⁻⁵², symmetric about ½; the last axis runs first."""
    raw = np.asarray(source.random_raw(math.prod(shape)), dtype=np.uint64)
    numbers: FloatArray = ((raw >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
    return numbers.reshape(shape)


def to_normals(numbers: FloatArray) -> FloatArray:
    """Standard normals from uniform numbers, by the inverse of the distribution function; same shape."""
    return np.array([STANDARD_NORMAL.inv_cdf(number) for number in numbers.flat]).reshape(numbers.shape)


class StudentTable(NamedTuple):
    """A unit-variance Student t as an odd function of a normal, tabulated from 0 to `CUT`."""

    normals: FloatArray  # (k,) rising
    values: FloatArray  # (k,)
    kurtosis: float  # raw, of the cut distribution


def to_student(normals: FloatArray, degrees_of_freedom: float) -> FloatArray:
    """Fat-tailed numbers of mean 0 and variance 1 from normals: Student's quantile of Φ(normal).

    Normals are cut at ±5, which bounds the numbers; the scale allows for it. The function is odd, so
    that the distribution is exactly symmetric.
    """
    table = student_table(degrees_of_freedom)
    values: FloatArray = np.sign(normals) * np.interp(np.abs(normals), table.normals, table.values)
    return values


@cache
def student_table(degrees_of_freedom: float) -> StudentTable:
    """The quantile t(z) of Φ(z), which solves t' = φ(z) / f(t) with f Student's density, by Runge–Kutta."""
    step = 1 / STEPS_PER_UNIT
    normals = np.arange(int(CUT * STEPS_PER_UNIT) + 1, dtype=np.float64) * step
    values = [0.0]
    for normal in normals[:-1].tolist():
        values.append(_next_quantile(normal, values[-1], step=step, degrees_of_freedom=degrees_of_freedom))
    quantiles = np.array(values)
    variance, fourth = _even_moment(normals, quantiles, 2), _even_moment(normals, quantiles, 4)
    return StudentTable(normals, quantiles / math.sqrt(variance), fourth / variance**2)


def _next_quantile(normal: float, value: float, *, step: float, degrees_of_freedom: float) -> float:
    half = (degrees_of_freedom + 1) / 2
    scale = math.exp(math.lgamma(half) - math.lgamma(degrees_of_freedom / 2))
    scale /= math.sqrt(degrees_of_freedom * math.pi)

    def slope(z: float, t: float) -> float:
        return STANDARD_NORMAL.pdf(z) / scale * math.pow(1 + t * t / degrees_of_freedom, half)

    first = slope(normal, value)
    second = slope(normal + step / 2, value + step / 2 * first)
    third = slope(normal + step / 2, value + step / 2 * second)
    fourth = slope(normal + step, value + step * third)
    return value + step / 6 * (first + 2 * second + 2 * third + fourth)


def _even_moment(normals: FloatArray, values: FloatArray, power: int) -> float:
    """Mean of value**power over all normals, those beyond the cut included, by the trapezoid rule."""
    density = np.array([STANDARD_NORMAL.pdf(normal) for normal in normals.tolist()])
    inside = float(np.trapezoid(density * values**power, normals))
    beyond = STANDARD_NORMAL.cdf(-CUT) * float(values[-1]) ** power
    return 2 * (inside + beyond)
