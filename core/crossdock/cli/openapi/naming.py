"""Names of Python for what an API calls as it likes."""

import builtins
import keyword
import re
import unicodedata

TAKEN = frozenset({"state", "credential", "adaptor", "answer", "key", "value"})
"""What the generated source calls so itself."""

_NOT_FREE = {*keyword.kwlist, *keyword.softkwlist, *dir(builtins), *TAKEN}


def snake(text: str, longest: int = 60) -> str:
    """Write a name in small letters, digits and underscores; nothing else is ever in it.

    >>> snake("getHTTPStatus2"), snake("Prénom du patient"), snake("_id"), snake("患者")
    ('get_http_status2', 'prenom_du_patient', 'id', '')
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", plain)
    return re.sub(r"[^a-z0-9]+", "_", parted.lower()).strip("_")[:longest].strip("_")


def free(name: str, otherwise: str, taken: set[str]) -> str:
    """Give a name that is not taken yet, and take it: no word of Python and none of its builtins.

    >>> free("id", "parameter", taken := set()), free("id", "parameter", taken), free("9lives", "parameter", taken)
    ('id_', 'id_2', 'parameter_9lives')
    """
    name = name if name[:1].isalpha() else f"{otherwise}_{name}".rstrip("_")
    wanted = f"{name}_" if name in _NOT_FREE else name
    chosen, number = wanted, 2
    while chosen in taken:
        chosen, number = f"{wanted.rstrip('_')}_{number}", number + 1
    taken.add(chosen)
    return chosen
