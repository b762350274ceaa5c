"""``crossdock new adaptor --openapi``: parts of a multipart body that are files."""

import json
import sys
from pathlib import Path

import pytest
from crossdock.cli.openapi.document import Part
from crossdock.cli.openapi.operations import api_of
from crossdock.cli.openapi.source import module_source
from fix_command import COMMAND
from fix_openapi import document
from fix_packages import BIN, in_folder, installed

PHOTO_3_0 = {"type": "string", "format": "binary"}
PHOTO_3_1 = {"type": "string", "contentMediaType": "image/png"}


def uploads(photo: object, media_type: str = "multipart/form-data") -> dict[str, object]:
    schema = {"type": "object", "properties": {"photo": photo, "note": {"type": "string"}}}
    body = {"required": True, "content": {media_type: {"schema": schema}}}
    return {
        "/people/{id}/photo": {
            "post": {
                "operationId": "sendPhoto",
                "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
                "requestBody": body,
            }
        }
    }


def source_of(paths: dict[str, object]) -> str:
    return module_source(api_of(Part(document("Acme", "3.1.0", paths))).operations, "acme", "Acme")


@pytest.mark.parametrize("photo", [PHOTO_3_0, PHOTO_3_1])
def test_a_part_that_is_a_file_is_named_in_the_source_and_in_its_documentation(photo):
    written = source_of(uploads(photo))

    assert 'multipart=_files(body, "photo"),' in written
    assert "go by their names: photo." in written


def test_many_files_stand_on_lines_of_their_own():
    names = [f"photo_number_{number}" for number in range(9)]
    paths = uploads(PHOTO_3_0)
    schema = paths["/people/{id}/photo"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    schema["properties"] = dict.fromkeys(names, PHOTO_3_0)

    written = source_of(paths)

    assert 'multipart=_files(\n            body,\n            "photo_number_0",\n' in written


@pytest.mark.parametrize("paths", [uploads({"type": "string"}), uploads(PHOTO_3_0, "application/json")])
def test_what_is_no_file_is_sent_as_it_is(paths):
    assert "_files(" not in source_of(paths)


def test_a_file_of_the_run_is_sent_and_the_package_is_clean(tmp_path: Path, http_system):
    (tmp_path / "api.json").write_text(json.dumps(document("Acme", "3.1.0", uploads(PHOTO_3_0))))
    made = in_folder(tmp_path, *COMMAND, "new", "adaptor", "Acme", "--openapi", "api.json")
    package = tmp_path / "crossdock-acme"
    tools = (
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy", "--python-executable", sys.executable],
    )
    checked = [in_folder(package, BIN / tool, *options).stdout for tool, *options in tools]
    asked = http_system.on("POST", "/people/p-1/photo").answer({"ok": True})
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "amina.png").write_bytes(b"a photo")
    call = 'acme.send_photo("p-1", {"photo": "amina.png", "note": "left"})'
    (tmp_path / "job.py").write_text(
        f"from crossdock import Job\nfrom crossdock.adaptors import acme\njob = Job({call})\n"
    )
    (tmp_path / "c.json").touch(0o600)
    (tmp_path / "c.json").write_text(json.dumps({"acme": {"adaptor": "acme", "base_url": http_system.url}}))
    (tmp_path / "site").mkdir()
    site = installed([package], tmp_path / "site")

    done = in_folder(tmp_path, *COMMAND, "run", "job.py", "--credentials", "c.json", "--files", "files", **site)

    assert (made.returncode, done.returncode) == (0, 0), done.stderr
    assert [said.splitlines()[-1].split()[0] for said in checked] == ["All", "7", "Success:"], checked
    assert 'name="photo"; filename="amina.png"\r\nContent-Type: image/png\r\n\r\na photo' in asked.requests[0].text
    assert 'name="note"\r\n\r\nleft' in asked.requests[0].text
