"""What every script needs: where to send, and a way to say what a call must disclose."""

import json
import os
import urllib.request
from importlib.metadata import version

from requests.adapters import HTTPAdapter

GATEWAY = os.environ.get("CORDON_GATEWAY")
VENDOR = os.environ.get("CORDON_VENDOR")
CAPTURE = os.environ.get("CORDON_CAPTURE")
WANTED = set(filter(None, os.environ.get("CORDON_CASES", "").split(",")))


def base(vendor):
    """The base URL that the SDK is pointed at: the vendor's own where a proxy leads to the gateway."""
    return VENDOR or f"{GATEWAY}/v/{vendor}"


def person(identifiers, fields, *lists):
    """A person that the request says something of: identifiers, fields, lists."""
    identifiers = [identifiers] if isinstance(identifiers, str) else identifiers
    return {"identifiers": identifiers, "fields": fields.split(","), "lists": list(lists)}


def record(sdk, name, discloses, call):
    """Makes one call that is one request. `discloses` is what the vendor's documentation says
    that it tells. The call is recorded, or else what the SDK made of the answer is printed."""
    if WANTED and name not in WANTED:
        return
    if not CAPTURE:
        print(json.dumps({"case": name, **outcome(call)}))
        return
    call()
    said = {"sdk": f"{sdk} {version(sdk)} (python)", "case": f"{name}.python"}
    body = json.dumps({**said, "discloses": discloses}).encode()
    urllib.request.urlopen(urllib.request.Request(f"{CAPTURE}/recorded", body)).close()


def outcome(call):
    try:
        answer = call()
        # `requests` returns a refusal as it returns everything else.
        if getattr(answer, "ok", True):
            return {"ok": True}
        return {"ok": False, "status": answer.status_code, "message": answer.text}
    except Exception as error:
        metadata = getattr(error, "response", None)
        if isinstance(metadata, dict):
            status = metadata["ResponseMetadata"]["HTTPStatusCode"]
        else:
            named = ("status", "status_code", "code")
            found = [getattr(error, name, None) for name in named]
            found.append(getattr(metadata, "status_code", None))
            status = next((one for one in found if isinstance(one, int)), None)
        said = [str(error), getattr(error, "text", ""), getattr(error, "body", "")]
        return {"ok": False, "status": status, "message": " ".join(map(str, filter(None, said)))}


def reroute(session, origin, to):
    """Sends what a `requests` session would send to `origin` to another base URL, for SDKs that
    take none."""

    class Rerouted(HTTPAdapter):
        def send(self, request, **options):
            rerouted = request.copy()
            rerouted.url = request.url.replace(origin, to, 1)
            response = super().send(rerouted, **options)
            # Some look at where it went.
            response.request = request
            return response

    session.mount(origin, Rerouted())
