"""The note that the course puts to the test: what it claims about a 30M nanoGPT and GPT-2, C1 to C11."""

from typing import NamedTuple

ANSWERS = ("holds", "false", "unsure")


class Claim(NamedTuple):
    """One claim of the note, and the figure one may predict for it."""

    id: str
    text: str
    figure: str


CLAIMS = (
    Claim("C1", "The model has 29.94M parameters.", "parameters, in millions"),
    Claim(
        "C2", "20,000 iterations of 32k tokens see 8-10B tokens (elsewhere in the note: 1-2B).", "billions of tokens"
    ),
    Claim(
        "C3",
        "It reaches a validation perplexity of 80-120, with the loss levelling off at 4.0-5.0.",
        "loss, nats a token",
    ),
    Claim("C4", "GPT-2 small has perplexity 35-45 on WebText and OpenWebText, a loss of 3.0-3.5.", "perplexity"),
    Claim("C5", "GPT-2 XL has perplexity 20-35 there; 35.8 on OpenAI's own evaluation set.", "perplexity"),
    Claim("C6", "OpenWebText gives scores 5-10% worse than WebText would.", "per cent"),
    Claim(
        "C7",
        "GPT-2 small gets 20-30% right on LAMBADA and WikiText-103 cloze, the 30M model 5-15%.",
        "per cent, 30M model",
    ),
    Claim(
        "C8",
        "No dropout, small batches and no cosine decay make the model overfit.",
        "validation loss less training loss",
    ),
    Claim("C9", "100,000 iterations bring its perplexity under 60.", "perplexity"),
    Claim(
        "C10",
        "It writes short, repetitive text; GPT-2 small holds a thread for 1,000 tokens and more.",
        "repetition rate, per cent",
    ),
    Claim(
        "C11",
        "At 124M parameters it would match GPT-2, and fine-tuning would make it chat.",
        "loss at 124M, nats a token",
    ),
)
