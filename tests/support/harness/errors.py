"""One shape for the refusals of every client."""


class ApiError(Exception):
    """The service refused. `status` is None where a client hides it."""

    def __init__(self, code: str, message: str, status: int | None = None, request_id: str = ""):
        super().__init__(f"{status} {code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.request_id = request_id


class Refused:
    """`with Refused("Code", status=404) as refused:` fails unless the block is refused just so."""

    def __init__(self, *codes: str, status: int | None = None, says: str | None = None):
        self.codes = codes
        self.status = status
        self.says = says
        self.error: ApiError | None = None

    def __enter__(self) -> "Refused":
        return self

    def __exit__(self, kind, error, _trace) -> bool:
        wanted = " or ".join(self.codes)
        if error is None:
            raise AssertionError(f"was accepted; {wanted} was expected")
        if not isinstance(error, ApiError):
            return False
        self.error = error
        if error.code not in self.codes:
            raise AssertionError(f"{wanted} was expected, but: {error}") from error
        if self.status is not None and error.status is not None and error.status != self.status:
            raise AssertionError(f"HTTP {self.status} was expected, but: {error}") from error
        if self.says is not None and self.says not in error.message:
            raise AssertionError(f"the message should say {self.says!r}, but: {error}") from error
        return True
