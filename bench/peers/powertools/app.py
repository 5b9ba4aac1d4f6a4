"""Powertools' own REST sample, the todos of its documentation: with validation, Logger, Tracer and Metrics."""

import os

import requests
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, Field

tracer = Tracer(service="todos")
logger = Logger(service="todos")
metrics = Metrics(namespace="todos", service="todos")
app = APIGatewayRestResolver(enable_validation=True)


class Todo(BaseModel):
    userId: int  # noqa: N815 (the sample's own)
    id_: int | None = Field(alias="id", default=None)
    title: str
    completed: bool


@app.get("/todos/<todo_id>")
@tracer.capture_method
def get_todo_by_id(todo_id: int) -> Todo:
    metrics.add_metric(name="TodosRead", unit=MetricUnit.Count, value=1)
    todo = requests.get(f"{os.environ['TODOS_URL']}/todos/{todo_id}", timeout=5)
    todo.raise_for_status()
    return todo.json()


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST)
@tracer.capture_lambda_handler
@metrics.log_metrics
def handler(event: dict, context: LambdaContext) -> dict:
    return app.resolve(event, context)
