-- Version 5: which programs may use these tables. Nodes are upgraded one by one, and meanwhile older ones go on.

-- One row: a step that only adds to the tables leaves it alone, and one that changes what is there makes it its version.
CREATE TABLE compatibility (
    oldest           INTEGER NOT NULL
);

-- The first version that looks here.
INSERT INTO compatibility (oldest) VALUES (5);
