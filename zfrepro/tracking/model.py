"""The model that MLflow loads and serves: this file goes with it and is run as it stands."""

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from zfrepro.serving import Classifier


class ImageClassifier(PythonModel):
    """Raw images (column `image`: arrays or base64-encoded files, any size) to probabilities.

    Param `crops`: "ten" (the paper's ten sub-crops, averaged) or "centre" (a tenth of the work).

    What cannot be read raises MLflow's own exception: of any other a server tells the traceback and
    not the reason.
    """

    def load_context(self, context: PythonModelContext) -> None:
        self.classifier = Classifier.load(Path(context.artifacts["weights"]))

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        try:
            return self.classifier.predict(model_input, **(params or {}))
        except ValueError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from error


set_model(ImageClassifier())
