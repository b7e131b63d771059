"""`python -m tests.soak`."""

from tests.soak.command import main

raise SystemExit(main())
