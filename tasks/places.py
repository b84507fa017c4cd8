"""Where a scenario's files lie: one name for each place."""

from dataclasses import dataclass
from pathlib import Path

from releve.adapters.known_values import known_values_folder

REFERENCE = "reference.parquet"  # in a model's folder: the newest rows it learned from
START_PAGE = "index.html"
VERSIONED = ("batches.dvc", "memory.dvc", "brought.dvc")  # of a scenario's folder: what the pipeline starts from
HOLDOUT = "holdout.parquet"  # the same: the answers to the holdout and their labels


def start_page(home: Path) -> Path:
    """For people: what needs one of them, over all scenarios."""
    return home / "pages" / START_PAGE


@dataclass(frozen=True)
class ScenarioFiles:
    """Files of one scenario in a checkout: the user's, the pipeline's and the flows'."""

    project: Path
    scenario: str

    @property
    def folder(self) -> Path:
        return self.project / "scenarios" / self.scenario

    @property
    def inputs(self) -> Path:  # which rows and which champion the pipeline starts from
        return self.folder / "inputs.yaml"

    @property
    def versioned(self) -> list[str]:  # what DVC brings before the pipeline starts, by its path in the project
        return [f"scenarios/{self.scenario}/{name}" for name in VERSIONED if (self.folder / name).is_file()]

    @property
    def batches(self) -> Path:  # one Parquet file per ingested file, in the order of ingestion
        return self.folder / "batches"

    @property
    def batch_list(self) -> Path:
        return self.folder / "batches.csv"

    @property
    def batch_profiles(self) -> Path:  # what each batch is like as a whole; the next ones are held against it
        return self.folder / "batches.json"

    @property
    def brought(self) -> Path:  # models that others fitted, each a graph and what is known of it
        return self.folder / "brought"

    @property
    def build(self) -> Path:  # what the stages make
        return self.folder / "build"

    @property
    def memory(self) -> Path:  # the refresh: fitted members, weights, forward answers; the next one starts from it
        return self.build / "memory"

    @property
    def model(self) -> Path:
        return self.build / "model"

    @property
    def results(self) -> Path:
        return self.project / "results" / self.scenario

    @property
    def metrics(self) -> Path:  # the few figures that people compare
        return self.results / "metrics.json"

    @property
    def plots(self) -> Path:  # tables that `dvc plots` draws
        return self.results / "plots"

    @property
    def evaluation(self) -> Path:  # everything the gate weighs
        return self.results / "evaluation.json"

    @property
    def model_summary(self) -> Path:  # what people compare of models, and the gate reads
        return self.results / "summary.json"


@dataclass(frozen=True)
class ScenarioState:
    """Places below RELEVE_HOME that belong to one scenario."""

    home: Path
    scenario: str

    @property
    def incoming(self) -> Path:  # files waiting to be ingested
        return self.home / "incoming" / self.scenario

    @property
    def images(self) -> Path:  # files that incoming tables name by their paths, where no setting names another folder
        return self.home / "images" / self.scenario

    @property
    def ingested(self) -> Path:  # files whose rows are versioned
        return self.home / "ingested" / self.scenario

    @property
    def refused(self) -> Path:  # files that could not be ingested, each beside its reason
        return self.home / "refused" / self.scenario

    @property
    def quarantine(self) -> Path:  # rejected rows, one Parquet file per file they came in
        return self.home / "quarantine" / self.scenario

    @property
    def resubmit(self) -> Path:  # rejected rows that a person asked for, to fix and send again
        return self.home / "resubmit" / self.scenario

    @property
    def scoring(self) -> Path:  # of outputs that go to a URL: their manifests, and the part that is being written
        return self.home / "scoring" / self.scenario

    @property
    def pulled(self) -> Path:  # how far the scenario's query was followed
        return self.home / "pulled" / self.scenario

    @property
    def ledger(self) -> Path:
        return self.home / "ledger" / self.scenario

    @property
    def fetched_ledger(self) -> Path:  # days that are not here any more, as the data remote has them
        return self.home / "fetched" / self.scenario

    @property
    def harvest(self) -> Path:  # labelled answers that were turned into batches
        return self.home / "harvest" / self.scenario

    @property
    def history(self) -> Path:  # what was ingested of the columns whose lags are features
        return known_values_folder(self.home, self.scenario)

    @property
    def label_queue(self) -> Path:  # answers whose label is asked for, a file to fill in per call
        return self.home / "label-queue" / self.scenario

    @property
    def reports(self) -> Path:
        return self.home / "reports" / self.scenario

    @property
    def cards(self) -> Path:  # of its model versions, each as Markdown and as a page
        return self.home / "cards" / self.scenario

    @property
    def page(self) -> Path:  # for people: what serves, how good it is, what was decided
        name = f"{self.scenario}.html"
        # no scenario's name has a point
        return start_page(self.home).with_name("index.scenario.html" if name == START_PAGE else name)

    @property
    def backtest(self) -> Path:  # what other policies would have been worth: backtest.json, its table and its picture
        return self.home / "backtest" / self.scenario

    @property
    def folders(self) -> tuple[Path, ...]:
        """All of its folders, which `archive` moves away."""
        return (
            self.incoming,
            self.images,
            self.ingested,
            self.refused,
            self.quarantine,
            self.resubmit,
            self.pulled,
            self.ledger,
            self.fetched_ledger,
            self.harvest,
            self.history,
            self.label_queue,
            self.reports,
            self.backtest,
        )

    @property
    def worktrees(self) -> Path:
        return self.home / "worktrees"

    @property
    def experiments(self) -> Path:  # of all scenarios: throw-away clones, and the locks of those who work in them
        return self.home / "experiments"
