"""The same SQL texts on Apache Spark, for more rows than one machine holds. Needs the package pyspark and a Java."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from scf.kernel.problems import Problem
from scf.reconciliation.portable import SIDES, cases_sql, rule_sql
from scf.reconciliation.rule import Terms


def judge_on_spark(
    scratch: Path, terms: Terms, columns: str, *, told: tuple[str, ...] = (), session: Any = None
) -> Path:
    """Judge the canonical Parquet files in `scratch`; returns the folder of Parquet files with one row a reference.

    `told` names sides whose rows say who tells of them. Uses the running Spark session, or `session`, or a local one.
    Raises Problem `engine_missing`.
    """
    try:
        sql = importlib.import_module("pyspark.sql")
    except ImportError as error:
        raise Problem("engine_missing", engine="spark", package="pyspark") from error
    mine = session is None and sql.SparkSession.getActiveSession() is None
    try:
        builder = sql.SparkSession.builder.appName("scf reconcile").config("spark.ui.enabled", "false")
        spark = session or builder.getOrCreate()
    except Exception as error:  # whatever keeps the virtual machine from starting; most often there is none
        raise Problem("engine_missing", engine="spark", package="Java 17") from error
    try:
        for name in SIDES:
            spark.read.parquet(str(scratch / f"canonical_{name}.parquet")).createOrReplaceTempView(name)
        judged = rule_sql(f"({cases_sql({name: name for name in SIDES}, unique=False, told=told)})", terms)
        target = scratch / "first"
        spark.sql(f"SELECT {columns} FROM ({judged})").write.mode("overwrite").parquet(str(target))
        return target
    finally:
        if mine:
            spark.stop()
