# SPDX-License-Identifier: BSD-3-Clause
# bash completion for trefoil-audit

_trefoil_audit() {
	local cur prev words cword options select
	_init_completion || return

	case $prev in
	-k | --key | -o | --output)
		_filedir
		return
		;;
	--head | --from | --to | --country | --asn | --rule | --reason | --flow | --segment)
		return
		;;
	--verdict)
		mapfile -t COMPREPLY < <(compgen -W 'mirror drop+mirror' -- "$cur")
		return
		;;
	esac
	if [[ $cword -eq 1 ]]; then
		options='list verify extract flows report --help --version'
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
		return
	fi
	select='--from --to --country --asn --rule --reason --verdict --flow --segment'
	case ${words[1]} in
	list) options='--key --json' ;;
	verify) options='--key --json --head --unsigned' ;;
	extract) options="--key --json --output $select" ;;
	flows) options="--key --json --csv --all $select" ;;
	report) options="--key --json $select" ;;
	*) return ;;
	esac
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$options --help --usage --version" -- "$cur")
	elif [[ ${words[1]} == verify ]]; then
		_filedir
	else
		_filedir -d
	fi
} &&
	complete -F _trefoil_audit trefoil-audit
