case "$CODE" in
  0) state=success said="nothing got worse" ;;
  2) state=failure said="a prompt cannot be tested" ;;
  3) state=failure said="a prompt got worse" ;;
  4) state=failure said="the samples cannot tell" ;;
  6) state=failure said="release files are wrong" ;;
  7) state=failure said="the test could not finish" ;;
  *) state=error said="no answer" ;;
esac
gh api --silent --method POST "repos/$GITHUB_REPOSITORY/statuses/$SHA" -f context=promptops -f state="$state" \
  -f description="$said" -f target_url="$GITHUB_SERVER_URL/$GITHUB_REPOSITORY/actions/runs/$GITHUB_RUN_ID"
