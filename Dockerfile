# A worker for `dsir batch --scheduler`: docker build -t dsir . && docker run -v /shared:/shared dsir tcp://10.0.0.1:8786
# The CPU build of torch is smaller: --build-arg TORCH="torch --index-url ADDRESS", the address that PyTorch's start page names.
FROM python:3.12-slim

ARG TORCH=torch
RUN pip install --no-cache-dir ${TORCH}

WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY DSIRRegistration ./DSIRRegistration
RUN pip install --no-cache-dir ".[batch,rt]" && rm -rf /source

# Not root: results on the shared volume belong to whoever --user says.
RUN useradd --create-home worker
USER worker
WORKDIR /home/worker
ENV MPLBACKEND=Agg

# One pair at a time for each worker process; more processes by: docker run dsir ADDRESS --nworkers 4
ENTRYPOINT ["dask", "worker", "--nthreads", "1"]
CMD ["--help"]
