"""What a replica of an asset is drawn with: volatility, tails, regimes, jumps, first price and volume."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from flagbench.settings import Settings

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Length = Annotated[float, Field(ge=1, allow_inf_nan=False)]


class ReplicaParams(Settings):
    """Figures of one asset; `flagbench.market.calibration` says how each is measured.

    There is no drift: the mean of both legs of every bar is zero, so that a replica is a martingale.
    """

    volatility: Positive
    """Standard deviation of a year's simple returns, a fraction; over both regimes, jumps included."""
    overnight_share: Annotated[float, Field(ge=0, lt=1)]
    """Share of a bar's variance that falls between the close before and the open."""
    degrees_of_freedom: Annotated[float, Field(gt=4, le=1000)]
    """Of Student's t, which the innovations follow between jumps; above 4 the kurtosis is finite."""
    garch_alpha: Annotated[float, Field(ge=0, lt=1)]
    """Weight of the last bar's squared return in the next bar's variance."""
    garch_beta: Annotated[float, Field(ge=0, lt=1)]
    """Weight of the last bar's variance in the next bar's."""
    turbulence: Length
    """How many times the variance of calm bars a turbulent bar has."""
    calm_bars: Length
    """Mean length of a calm regime, in bars."""
    turbulent_bars: Length
    """Mean length of a turbulent regime, in bars."""
    jump_rate: Annotated[float, Field(ge=0, le=0.5)]
    """Share of bars with a jump."""
    jump_size: NotNegative
    """A jump, up or down alike, in standard deviations of a bar without one."""
    first_price: Positive
    """What the first bar begins at, in the asset's currency."""
    volume: Positive
    """Median volume of a bar."""
    volume_spread: NotNegative
    """Standard deviation of the logarithm of volume that has nothing to do with the return."""
    volume_slope: NotNegative
    """Rise of the logarithm of volume for one standard deviation of absolute return."""

    @model_validator(mode="after")
    def _kurtosis_is_finite(self) -> Self:
        if self.garch_kurtosis_decay >= 1:
            raise ValueError(
                "with these garch_alpha, garch_beta and tails returns have no finite kurtosis: "
                f"kurtosis·α² + 2αβ + β² is {self.garch_kurtosis_decay:.3f}, it must be below 1"
            )
        return self

    @property
    def turbulent_share(self) -> float:
        """Share of bars that are turbulent in the long run."""
        return self.turbulent_bars / (self.calm_bars + self.turbulent_bars)

    @property
    def multipliers(self) -> tuple[float, float]:
        """What the variance is multiplied by in a calm and in a turbulent bar; their mean is 1."""
        share = self.turbulent_share
        calm = 1 / (1 - share + share * self.turbulence)
        return calm, calm * self.turbulence

    def innovation_kurtosis(self, student_kurtosis: float | None = None) -> float:
        """Raw kurtosis of a bar's return in units of that bar's standard deviation.

        Args:
            student_kurtosis: of one leg without jumps; Student's own where it is not given.
        """
        leg = 3 + 6 / (self.degrees_of_freedom - 4) if student_kurtosis is None else student_kurtosis
        shares = self.overnight_share**2 + (1 - self.overnight_share) ** 2
        rate, square = self.jump_rate, self.jump_size**2
        return (3 + (leg - 3) * shares + 6 * rate * square + rate * square**2) / (1 + rate * square) ** 2

    def return_kurtosis(self, student_kurtosis: float | None = None) -> float:
        """Raw kurtosis of a bar's return in the long run: of innovation, GARCH factor and regime.

        Source: Bollerslev 1986 for the fourth moment of GARCH(1,1), with the innovation's kurtosis for a
        normal's 3.
        """
        kurtosis = self.innovation_kurtosis(student_kurtosis)
        calm, turbulent = self.multipliers
        regime = (1 - self.turbulent_share) * calm**2 + self.turbulent_share * turbulent**2
        persistence = self.garch_alpha + self.garch_beta
        return kurtosis * regime * (1 - persistence**2) / (1 - self._decay(kurtosis))

    @property
    def garch_kurtosis_decay(self) -> float:
        """What the fourth moment of the GARCH factor is multiplied by from bar to bar; below 1 if finite."""
        return self._decay(self.innovation_kurtosis())

    def _decay(self, kurtosis: float) -> float:
        alpha, beta = self.garch_alpha, self.garch_beta
        return kurtosis * alpha**2 + 2 * alpha * beta + beta**2
