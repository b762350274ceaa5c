"""RT-20, RT-21: nothing that was acknowledged is lost, whoever is killed; ``make soak`` does it at length."""

from collections.abc import Callable

from fix_storm import Storm

MESSAGES, KILLS = 2_000, 100


def test_rt_21_nothing_acknowledged_is_lost_in_a_storm_of_kills(storms: Callable[[int, int], Storm]):
    result = storms(MESSAGES, KILLS).rage()

    assert result.acknowledged == set(range(MESSAGES))
    assert result.lost == set()
    assert result.repeated == []
    assert result.kills.total() >= KILLS
    assert result.duplicates <= result.kills.total(), str(result)
    assert result.outcomes == {"ended success": MESSAGES}
    assert result.faults == []
