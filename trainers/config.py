"""The trainers' settings, typed and bounded; ``kent.config`` composes them into ``kent.toml``."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from trainers.cluster_settings import ClusterConfig
from trainers.ctm_settings import CTMSettings
from trainers.section import Section
from trainers.synthetic_settings import SyntheticConfig


class GeneratorConfig(Section):
    """Who writes code, and how it samples."""

    backend: Literal["auto", "llama.cpp", "openvino", "vllm", "openai"] = Field(
        "auto", description="auto: vllm where it is installed with CUDA, else llama.cpp"
    )
    model: str = Field(
        "qwen2.5-coder-0.5b-instruct", description="a name of `kent model list`, or a path"
    )
    temperature: float = Field(0.8, ge=0, le=2)
    top_p: float = Field(0.95, gt=0, le=1)
    max_tokens: int = Field(384, ge=16, le=8192)
    parallel: int = Field(16, ge=1, le=1024, description="requests in flight")
    context: int = Field(2048, ge=256, le=131072, description="tokens a request may use")
    threads: int = Field(0, ge=0, le=1024, description="0: all cores")
    logprobs: bool = Field(True, description="ask for log-probabilities where the backend has them")
    python: str = Field("", description="interpreter with vLLM; empty: this one, or .venv-vllm")
    gpu_memory: float = Field(0.85, gt=0, le=1, description="share of the card (vllm)")
    kv_cache_gb: float = Field(4.0, gt=0, le=1024, description="key-value cache on a CPU")
    base_url: str = Field("http://127.0.0.1:8000/v1", description="server (openai)")
    api_key_env: str = Field("OPENAI_API_KEY", description="variable with the key (openai)")
    request_timeout_s: float = Field(600, gt=0, le=86400)


class TasksConfig(Section):
    """Where problems come from and how they are split."""

    data_dir: Path | None = Field(None, description="folder with data files; KENT_DATA overrides")
    train: str = Field("auto", description="auto, mbpp, mbpp-sanitized, basics")
    also: tuple[str, ...] = Field(
        ("humaneval",), description="further test sets: humaneval, humanevalplus, mbppplus, apps"
    )
    mbpp_split: Literal["official", "seed"] = Field("official")
    hub: bool = Field(True, description="ask the Hugging Face Hub where no folder has the data")
    max_train: int = Field(0, ge=0, description="0: all")
    max_validation: int = Field(0, ge=0, description="0: all")
    max_test: int = Field(0, ge=0, description="0: all")


class SandboxConfig(Section):
    """How untrusted code is run."""

    workers: int = Field(0, ge=0, le=1024, description="0: one a core")
    cpu_s: float = Field(4.0, gt=0, le=600)
    wall_s: float = Field(20.0, gt=0, le=3600)
    memory_mb: int = Field(512, ge=64, le=1_048_576)


Loss = Literal["pointwise", "pairwise", "listwise", "pointwise+pairwise", "pointwise+listwise"]


class LoraConfig(Section):
    """Fine-tuning the critic's backbone by low-rank adapters (Hu et al. 2021)."""

    rank: int = Field(16, ge=1, le=1024)
    alpha: float = Field(32, gt=0, le=4096, description="adapters are scaled by alpha / rank")
    dropout: float = Field(0.05, ge=0, lt=1)
    target_modules: str = Field(
        "all-linear", description="all-linear, or a regular expression over modules' names"
    )
    pooling: Literal["mean", "last"] = Field(
        "mean", description="what is scored: the mean over the code's tokens, or its last one"
    )
    learning_rate: float = Field(1e-4, gt=0, le=1, description="of the adapters, at its peak")
    head_learning_rate: float = Field(1e-3, gt=0, le=1, description="of the scalar head")
    weight_decay: float = Field(0.01, ge=0, le=10)
    warmup: float = Field(0.1, ge=0, lt=1, description="share of the steps; then a linear fall")
    epochs: int = Field(2, ge=1, le=1000, description="passes over the problems")
    programs_per_step: int = Field(
        8, ge=2, le=1024, description="of a problem; as many passing as failing where there are"
    )
    gradient_accumulation: int = Field(4, ge=1, le=1024, description="problems an update")
    max_problems: int = Field(0, ge=0, description="0: all")
    gradient_checkpointing: bool = Field(False, description="less memory, a third more time")


class CriticConfig(Section):
    """Samples, labels and the soft verifier."""

    protocol: Literal["visible1", "seed"] = Field(
        "visible1", description="visible1: the prompt shows one test; seed: it shows all"
    )
    samples_per_problem: int = Field(
        4, ge=1, le=1000, description="new ones a round and train problem, on average"
    )
    eval_samples_per_problem: int = Field(4, ge=2, le=1000, description="validation and test")
    max_samples_per_problem: int = Field(400, ge=1, le=100000)
    sampling: Literal["informative", "uniform"] = Field(
        "informative",
        description="informative: more samples of train problems that are sometimes solved",
    )
    kind: Literal["decoder", "encoder", "features"] = Field(
        "decoder",
        description="decoder: hidden states of a code model; encoder: of a BERT-like model; "
        "features: log-probability, length or majority, nothing trained",
    )
    tuning: Literal["auto", "frozen", "lora"] = Field(
        "auto", description="of decoder and encoder; auto: lora on a card, else frozen"
    )
    feature_model: str = Field(
        "generator", description="the decoder, by name or folder; generator: the same"
    )
    encoder_model: str = Field("", description="the encoder: a folder, or a name on the Hub")
    scalar_features: bool = Field(
        True, description="let the head also see length, log-probability, syntax and majority"
    )
    feature_batch: int = Field(16, ge=1, le=1024, description="programs a forward pass")
    pooling: Literal["mean", "all"] = Field(
        "mean", description="mean: over the code's tokens; all: also the last token's states"
    )
    loss: Loss = Field(
        "pointwise+pairwise", description="what the head minimises; within problems and over all"
    )
    balanced: bool = Field(True, description="passing and failing samples weigh the same")
    mining: bool = Field(True, description="from the second critic on, hard samples weigh more")
    mining_share: float = Field(
        0.25, gt=0, le=1, description="of a problem's samples of one outcome that count as hard"
    )
    mining_weight: float = Field(2.0, gt=0, le=100, description="of a hard sample against 1")
    epochs: int = Field(
        60, ge=1, le=10000, description="passes over the samples, at most, for each penalty"
    )
    weight_decay: float = Field(
        1e-3, gt=0, le=10, description="the middle one of the penalties that compete"
    )
    alpha: float = Field(0.05, gt=0, lt=1, description="of the promotion test")
    lora: LoraConfig = Field(default_factory=LoraConfig)
    agreement_inputs: int = Field(
        24, ge=1, le=1000, description="on which the samples of a problem are compared"
    )
    generated_inputs: bool = Field(True, description="let the generator write some of these inputs")


class CodeConfig(Section):
    """The HDC trainer on SWE tasks."""

    sources: tuple[Literal["auto", "injected", "swe", "mined", "quixbugs", "humanevalfix"], ...] = (
        Field(
            ("auto",),
            description="tasks brought in where the store has none; auto: what the data folder "
            "has of swe and mined, and injected bugs",
        )
    )
    injected: int = Field(
        240, ge=1, le=100_000, description="bugs put into Python's own library, as tasks"
    )
    dimensions: int = Field(10_000, ge=256, le=1_000_000, description="of a hypervector")
    new_tasks_per_round: int = Field(
        2000,
        ge=0,
        description="train tasks that a round learns from for the first time, so that a first "
        "version does not wait for all of a long list; 0: all there are",
    )
    tasks_per_round: int = Field(60, ge=0, le=100_000, description="train tasks that are tried")
    eval_tasks: int = Field(
        0, ge=0, le=100_000, description="validation and test tasks of each; 0: all"
    )
    broken: int = Field(
        400, ge=0, description="solutions of train problems that are broken to learn the order from"
    )
    library_functions: int = Field(
        20_000,
        ge=0,
        le=1_000_000,
        description="functions of Python's library counted to learn what looks like code",
    )
    candidates: int = Field(1500, ge=1, le=1_000_000, description="programs run for one task")
    seconds: float = Field(20.0, gt=0, le=86_400, description="for the search of one task")
    benchmark_candidates: int = Field(
        8000, ge=1, le=1_000_000, description="of one task, where `kent benchmark code` measures"
    )
    benchmark_seconds: float = Field(30.0, gt=0, le=86_400, description="likewise")
    patches: int = Field(10, ge=1, le=1000, description="proposed for a task that no test judges")
    circuits: bool = Field(True, description="let what worked before order the search")
    constraints: bool = Field(True, description="let what failed before order the search")
    generator: bool = Field(True, description="train and use the HDC-conditioned decoder")
    generator_epochs: int = Field(3, ge=1, le=1000, description="of the decoder, a round")
    repair_pairs: bool = Field(True, description="mine patterns from the critic's samples too")
    alpha: float = Field(0.05, gt=0, lt=1, description="of the promotion test")

    def measured(self) -> "CodeConfig":
        """The same, with the budget of the benchmark."""
        budget = {"candidates": self.benchmark_candidates, "seconds": self.benchmark_seconds}
        return self.model_copy(update=budget)


Arm = Literal["infill", "rest", "rewrite", "resample", "recall", "edit", "ctm"]


class PythonLoopConfig(Section):
    """The fractal loop on real Python."""

    flood: int = Field(8, ge=1, le=1000, description="candidates of a problem at first")
    local: int = Field(4, ge=1, le=1000, description="candidates for a guilty span")
    tries: int = Field(6, ge=1, le=1000, description="patches of one program")
    tokens: int = Field(
        1500, ge=0, le=10_000_000, description="rendered for repair, beyond those of the flood"
    )
    seconds: float = Field(600, gt=0, le=86_400, description="for one problem")
    arms: tuple[Arm, ...] = Field(
        ("infill", "rest", "rewrite", "resample", "recall", "edit", "ctm"),
        description="ways to patch",
    )
    parallel: int = Field(8, ge=1, le=256, description="problems that are worked on at once")
    problems_per_round: int = Field(
        60, ge=0, le=100_000, description="train problems that are repaired"
    )
    eval_problems: int = Field(
        0, ge=0, le=100_000, description="test problems that are measured; 0: all"
    )


class FractalConfig(Section):
    """Draft, flood, verify, localise, patch."""

    synthetic: SyntheticConfig = Field(default_factory=SyntheticConfig)
    python: PythonLoopConfig = Field(default_factory=PythonLoopConfig)


class BenchmarkConfig(Section):
    """What ``kent benchmark`` measures."""

    protocols: tuple[Literal["visible1", "seed"], ...] = Field(
        (), description="visible1, seed; none: critic.protocol"
    )
    sets: tuple[str, ...] = Field(
        ("mbpp",), description="mbpp (its test problems), and any of tasks.also"
    )
    samples: int = Field(0, ge=0, le=1000, description="0: critic.eval_samples_per_problem")
    ablation: bool = Field(False, description="also what each part is worth")
    task_file: str = Field(
        "",
        description="swebench-lite, swebench-verified, or a file of SWE tasks with its trees "
        "beside it, instead of the store's test tasks",
    )
    limit: int = Field(0, ge=0, description="tasks of `kent benchmark code`; 0: all")
    date_after: str = Field(
        "", description="only SWE tasks whose base commit is later: 2023-01-31; empty: all"
    )
    clones: str = Field(
        "", description="folder of git clones, for sets that bring patches but no code"
    )
    modes: tuple[Literal["isolated", "cold", "shared_cache", "bm25"], ...] = Field(
        ("isolated", "cold", "shared_cache", "bm25"), description="of `kent benchmark code`"
    )
    ctm_models: tuple[Literal["ctm", "trm", "encoder", "backbone"], ...] = Field(
        ("ctm", "trm", "encoder", "backbone"), description="compared by `kent benchmark ctm`"
    )
    ctm_seconds: float = Field(
        60, gt=0, le=604_800, description="of training for each model of `kent benchmark ctm`"
    )


class TrainerSettings(Section):
    """Everything a stage may read."""

    seed: int = Field(0, ge=0, le=2**31 - 1)
    weights_dir: Path = Field(Path("weights"), description="models; KENT_WEIGHTS overrides")
    generator: GeneratorConfig = Field(default_factory=GeneratorConfig)
    tasks: TasksConfig = Field(default_factory=TasksConfig)
    sandbox: SandboxConfig = Field(default_factory=SandboxConfig)
    cluster: ClusterConfig = Field(default_factory=ClusterConfig)
    critic: CriticConfig = Field(default_factory=CriticConfig)
    fractal: FractalConfig = Field(default_factory=FractalConfig)
    code: CodeConfig = Field(default_factory=CodeConfig)
    ctm: CTMSettings = Field(default_factory=CTMSettings)
    benchmark: BenchmarkConfig = Field(default_factory=BenchmarkConfig)
