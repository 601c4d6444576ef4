"""The model that MLflow loads and serves: this file goes with it and is run as it stands."""

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from zfrepro.serving import Classifier


class ImageClassifier(PythonModel):
    """Raw images (column `image`: arrays or base64-encoded files, any size) to probabilities.

    Param `crops`: "ten" (the paper's ten sub-crops, averaged) or "centre" (a tenth of the work).
    """

    def load_context(self, context: PythonModelContext) -> None:
        self.classifier = Classifier.load(Path(context.artifacts["weights"]))

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        return self.classifier.predict(model_input, **(params or {}))


set_model(ImageClassifier())
