"""Nested parameters as the flat names of queries and forms. The clouds differ in where they begin to count."""


def flatten(params: dict, first: int) -> dict[str, str]:
    """Lists as `Name.<number>` from `first` on, objects as `Name.Member`, booleans in lower case, no `None`."""
    flat: dict[str, str] = {}

    def put(name: str, value) -> None:
        if isinstance(value, dict):
            for member, inner in value.items():
                put(f"{name}.{member}", inner)
        elif isinstance(value, (list, tuple)):
            for index, inner in enumerate(value, start=first):
                put(f"{name}.{index}", inner)
        elif isinstance(value, bool):
            flat[name] = "true" if value else "false"
        elif value is not None:
            flat[name] = str(value)

    for name, value in params.items():
        put(name, value)
    return flat


def merged(common: dict[str, str], replaced: dict, params: dict[str, str]) -> dict[str, str]:
    """Common parameters with some replaced (`None` leaves one out), and the action's own."""
    whole = {name: value for name, value in {**common, **replaced}.items() if value is not None}
    return {**whole, **params}
