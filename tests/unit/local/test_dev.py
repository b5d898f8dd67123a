"""Which files a save is noticed in."""

import os

from uwsgi_autopilot.local.dev import changed, look


def test_a_save_a_new_file_and_a_removed_one_are_seen(tmp_path):
    manifest = tmp_path / "uwsgiapp.yaml"
    for name in ("uwsgiapp.yaml", "wsgi.py", "old.py", "page.html", "data.json"):
        (tmp_path / name).write_text("")
    (tmp_path / ".venv").mkdir()
    before = look(manifest, tmp_path)
    assert changed(before, look(manifest, tmp_path)) == []
    for name in ("uwsgiapp.yaml", "page.html", "data.json"):
        os.utime(tmp_path / name, ns=(1, 1))
    (tmp_path / "old.py").unlink()
    (tmp_path / "new.py").write_text("")
    (tmp_path / ".venv" / "installed.py").write_text("")
    names = [os.path.basename(path) for path in changed(before, look(manifest, tmp_path))]
    assert names == ["new.py", "old.py", "page.html", "uwsgiapp.yaml"]
