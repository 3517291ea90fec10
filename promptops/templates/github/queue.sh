number=${REF##*/pr-}
from=$(gh api "repos/$GITHUB_REPOSITORY/pulls/${number%%-*}" --jq .head.repo.full_name)
if [ "$from" != "$GITHUB_REPOSITORY" ]; then
  echo "trust=--untrusted" >> "$GITHUB_OUTPUT"
fi
