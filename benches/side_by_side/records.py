"""The measurements, one row each, in the order they were made."""

import csv
import statistics

COLUMNS = ["round", "section", "test", "pipeline", "server", "metric", "value"]


class Records:
    """Appends every row to a CSV file at once, so that a broken run still leaves its rows."""

    def __init__(self, path=None):
        self.rows = []
        self.file = open(path, "w", newline="") if path else None
        if self.file:
            self._write(COLUMNS)

    def _write(self, fields):
        csv.writer(self.file, lineterminator="\n").writerow(fields)
        self.file.flush()

    def add(self, round_, section, test, pipeline, server, **metrics):
        for metric, value in metrics.items():
            self.rows.append((round_, section, test, pipeline, server, metric, value))
            if self.file:
                self._write([round_, section, test, pipeline, server, metric, f"{value:.6g}"])

    @classmethod
    def read(cls, path):
        records = cls()
        with open(path, newline="") as file:
            for row in csv.DictReader(file):
                pipeline = int(row["pipeline"])
                records.rows.append((
                    int(row["round"]), row["section"], row["test"], pipeline,
                    row["server"], row["metric"], float(row["value"]),
                ))  # fmt: skip
        return records

    def median(self, section, test, pipeline, server, metric):
        """Median over the rounds, or None when it was not measured."""
        key = (section, test, pipeline, server, metric)
        values = [row[6] for row in self.rows if row[1:6] == key]
        return statistics.median(values) if values else None

    def spread(self, section, test, pipeline, server, metric):
        """(highest - lowest) / median over the rounds."""
        key = (section, test, pipeline, server, metric)
        values = [row[6] for row in self.rows if row[1:6] == key]
        return (max(values) - min(values)) / statistics.median(values) if len(values) > 1 else None

    def cases(self, section):
        """(test, pipeline) pairs of a section, in the order first measured."""
        return list(dict.fromkeys((row[2], row[3]) for row in self.rows if row[1] == section))

    def servers(self, section=None):
        return list(dict.fromkeys(row[4] for row in self.rows if section in (None, row[1])))
