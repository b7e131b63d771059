"""`python -m tests.chaos`."""

from tests.chaos.command import main

raise SystemExit(main())
